package handle

import "github.com/google/uuid"

// CodeSecretSize is the length of a code's secret, in bytes.
const CodeSecretSize = 32

const (
	codeSize   = 16 + CodeSecretSize
	codeLength = codeSize / 3 * 4
)

// MintCode spells an authorization code or device code: the base64url of the
// flow's id and its secret, which must have [CodeSecretSize] bytes, else there
// is no code and the result is "". It carries no MAC: the flow's key in the
// cache is found by the id, and holds the hash of the secret.
func MintCode(id uuid.UUID, secret []byte) string {
	if len(secret) != CodeSecretSize {
		return ""
	}
	return encoding.EncodeToString(append(id[:], secret...))
}

// ParseCode reads what MintCode spelt, or ErrInvalid.
func ParseCode(s string) (id uuid.UUID, secret []byte, err error) {
	if len(s) != codeLength {
		return uuid.Nil, nil, ErrInvalid
	}
	b, err := decode(s, codeSize)
	if err != nil {
		return uuid.Nil, nil, err
	}
	copy(id[:], b)
	return id, b[len(id):], nil
}
