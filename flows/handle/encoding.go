package handle

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

// Lengths in bytes before base64url.
const (
	// SessionSize keeps the digest of a handle to a single block of SHA-256.
	SessionSize = keyring.KeyIDSize + 16 + SecretSize + MACSize
	refreshSize = SessionSize + 4
)

// SessionLength and RefreshLength are the lengths of a session handle and of a
// refresh token as strings.
const (
	SessionLength = len(SessionPrefix) + SessionSize/3*4
	RefreshLength = len(RefreshPrefix) + (refreshSize*8+5)/6
)

// encoding refuses stray trailing bits, so that a string has one spelling.
var encoding = base64.RawURLEncoding.Strict()

// decode decodes exactly size bytes. The library skips line breaks even when
// strict, which RFC 4648, section 3.3 forbids: the length catches that, since
// the caller has compared the string's.
func decode(s string, size int) ([]byte, error) {
	b, err := encoding.DecodeString(s)
	if err != nil || len(b) != size {
		return nil, ErrInvalid
	}
	return b, nil
}

// SessionDigest reads the session id of a handle and hashes the whole of it,
// without allocating and without verifying the MAC. Whoever has kept the
// digest of a handle that [ParseSession] accepted can compare the two in
// constant time, and knows the handle to be the same one; the id alone proves
// nothing. It is false if s has not the form of a session handle.
func SessionDigest(s string) (id uuid.UUID, digest [sha256.Size]byte, ok bool) {
	if len(s) != SessionLength || s[:len(SessionPrefix)] != SessionPrefix {
		return id, digest, false
	}
	var text [SessionLength - len(SessionPrefix)]byte
	var body [SessionSize]byte
	copy(text[:], s[len(SessionPrefix):])
	n, err := encoding.Decode(body[:], text[:])
	if err != nil || n != SessionSize {
		return id, digest, false
	}
	copy(id[:], body[keyring.KeyIDSize:])
	return id, sha256.Sum256(body[:]), true
}
