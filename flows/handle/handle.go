package handle

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

// Prefixes tell the kinds apart, for people and for secret scanners.
const (
	SessionPrefix = "gts_"
	RefreshPrefix = "gtr_"
)

// SecretSize and MACSize are what a handle carries of each, in bytes.
const (
	SecretSize = 16
	MACSize    = 16
)

// Labels of the MACs. They differ, so that one kind is never taken for the
// other.
const (
	sessionLabel = "session handle"
	refreshLabel = "refresh token"
)

// ErrInvalid: the string was not made here: wrong prefix, length, alphabet or
// MAC, or a key that is no longer configured. It is deliberately one error.
var ErrInvalid = errors.New("not a valid handle")

// Handle is what a session handle or a refresh token carries.
type Handle struct {
	// ID of the session.
	ID uuid.UUID
	// Secret that the session's row holds the hash of.
	Secret [SecretSize]byte
	// Generation of a refresh token; 0 for a session handle.
	Generation uint32
}

// SecretHash is the SHA-256 of the secret, as the session's row holds it. The
// secret has 128 random bits, so that a slow hash would add nothing.
func (h Handle) SecretHash() []byte {
	sum := sha256.Sum256(h.Secret[:])
	return sum[:]
}

// String leaves the secret out.
func (h Handle) String() string {
	return fmt.Sprintf("handle of session %s, generation %d", h.ID, h.Generation)
}

// GoString leaves the secret out.
func (h Handle) GoString() string { return h.String() }

// MintSession spells a session handle: gts_ and the base64url of key id,
// session id, secret and MAC.
func MintSession(k *keyring.Keyring, h Handle) string {
	return mint(k, SessionPrefix, sessionLabel, "", h.appendSession(k.AppendKeyID(nil)))
}

// ParseSession reads a session handle and verifies its MAC. It is ErrInvalid
// if anything is wrong. Whether the session exists and the secret is its own,
// the store must say.
func ParseSession(k *keyring.Keyring, s string) (Handle, error) {
	b, err := parse(k, SessionPrefix, sessionLabel, "", s, SessionSize)
	if err != nil {
		return Handle{}, err
	}
	var h Handle
	b = b[keyring.KeyIDSize:]
	copy(h.Secret[:], b[copy(h.ID[:], b):])
	return h, nil
}

// MintRefresh spells a refresh token: gtr_ and the base64url of key id,
// session id (the family), generation, secret and MAC. The MAC covers the
// issuer, where the gateway is several: a refresh token is good at the one that
// issued it (RFC 6749, section 6).
func MintRefresh(k *keyring.Keyring, issuer string, h Handle) string {
	return mint(k, RefreshPrefix, refreshLabel, issuer, h.appendRefresh(k.AppendKeyID(nil)))
}

// ParseRefresh reads a refresh token and verifies its MAC. It is ErrInvalid if
// anything is wrong, or another issuer's.
func ParseRefresh(k *keyring.Keyring, issuer, s string) (Handle, error) {
	b, err := parse(k, RefreshPrefix, refreshLabel, issuer, s, refreshSize)
	if err != nil {
		return Handle{}, err
	}
	var h Handle
	b = b[keyring.KeyIDSize:]
	b = b[copy(h.ID[:], b):]
	h.Generation = binary.BigEndian.Uint32(b)
	copy(h.Secret[:], b[4:])
	return h, nil
}

func (h Handle) appendSession(b []byte) []byte {
	b = append(b, h.ID[:]...)
	return append(b, h.Secret[:]...)
}

func (h Handle) appendRefresh(b []byte) []byte {
	b = append(b, h.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, h.Generation)
	return append(b, h.Secret[:]...)
}

func mint(k *keyring.Keyring, prefix, label, issuer string, body []byte) string {
	mac := k.MAC(label, covered(body, issuer)...)[:MACSize]
	return prefix + encoding.EncodeToString(append(body, mac...))
}

// covered are the parts that the MAC is of.
func covered(body []byte, issuer string) [][]byte {
	if issuer == "" {
		return [][]byte{body}
	}
	return [][]byte{body, []byte(issuer)}
}

// parse checks form and MAC and returns the body without the MAC.
func parse(k *keyring.Keyring, prefix, label, issuer, s string, size int) ([]byte, error) {
	if len(s) != len(prefix)+encoding.EncodedLen(size) || s[:len(prefix)] != prefix {
		return nil, ErrInvalid
	}
	b, err := decode(s[len(prefix):], size)
	if err != nil {
		return nil, err
	}
	body, mac := b[:size-MACSize], b[size-MACSize:]
	if !k.Knows(body[:keyring.KeyIDSize]) || !k.VerifyMAC(label, mac, covered(body, issuer)...) {
		return nil, ErrInvalid
	}
	return body, nil
}

var (
	_ fmt.Stringer   = Handle{}
	_ fmt.GoStringer = Handle{}
)
