package keyring

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// MinSecret is the shortest secret that is accepted, in bytes.
const MinSecret = 16

// KeyIDSize is the length of a key id in binary form, in bytes.
const KeyIDSize = 6

// salt is fixed: it separates Gatehouse from other uses of the same secret.
const salt = "gatehouse keyring v1"

// What a keyring answers. Compare with [errors.Is].
var (
	// ErrOpen: the sealed bytes are damaged, or were sealed under another
	// label or for another place.
	ErrOpen = errors.New("sealed value does not open")
	// ErrKey: the bytes were sealed by a secret that is not configured.
	ErrKey = errors.New("sealed by an unknown key")
)

// Keyring seals, opens, signs and verifies. It is safe for concurrent use.
type Keyring struct {
	random io.Reader
	keys   []*key
}

// key is what one secret became. The secret itself is not kept.
type key struct {
	id      [KeyIDSize]byte
	prk     []byte   // HKDF pseudorandom key
	derived sync.Map // purpose and label → []byte; labels are constants, so it stays small
}

// New derives a keyring from one or more secrets. The first seals and signs,
// all open and verify. A secret shorter than [MinSecret] is an error, which
// does not repeat it; one given twice counts once. A nil random is the
// operating system's.
func New(random io.Reader, secrets ...[]byte) (*Keyring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("making keyring: no secret")
	}
	k := &Keyring{random: lockedReader(random)}
	for i, secret := range secrets {
		if len(secret) < MinSecret {
			return nil, fmt.Errorf("making keyring: secret %d of %d has %d bytes, at least %d are needed",
				i+1, len(secrets), len(secret), MinSecret)
		}
		key, err := newKey(secret)
		if err != nil {
			return nil, fmt.Errorf("making keyring: %w", err)
		}
		if k.find(key.id[:]) == nil {
			k.keys = append(k.keys, key)
		}
	}
	return k, nil
}

func newKey(secret []byte) (*key, error) {
	prk, err := hkdf.Extract(sha256.New, secret, []byte(salt))
	if err != nil {
		return nil, fmt.Errorf("extracting key: %w", err)
	}
	k := &key{prk: prk}
	copy(k.id[:], k.expand("id", ""))
	if _, err := chacha20poly1305.NewX(k.expand("seal", "")); err != nil {
		// In FIPS 140-only mode. Seal has no error to return, so say it here.
		return nil, fmt.Errorf("making cipher: %w", err)
	}
	return k, nil
}

// expand derives the 32-byte key of one purpose and label, and remembers it.
// It is HKDF-Expand (RFC 5869, 2.3) for exactly one block, which cannot fail.
func (k *key) expand(purpose, label string) []byte {
	info := purpose + "\x00" + label
	if known, ok := k.derived.Load(info); ok {
		return known.([]byte)
	}
	h := hmac.New(sha256.New, k.prk)
	h.Write([]byte(info))
	h.Write([]byte{1})
	known, _ := k.derived.LoadOrStore(info, h.Sum(nil))
	return known.([]byte)
}

func (k *Keyring) find(id []byte) *key {
	for _, key := range k.keys {
		if string(key.id[:]) == string(id) {
			return key
		}
	}
	return nil
}

// KeyID names the first key: eight characters of base64url. It is a one-way
// function of the secret, not a secret itself.
func (k *Keyring) KeyID() string {
	return base64.RawURLEncoding.EncodeToString(k.keys[0].id[:])
}

// KeyIDs names all keys, the first first.
func (k *Keyring) KeyIDs() []string {
	ids := make([]string, len(k.keys))
	for i, key := range k.keys {
		ids[i] = base64.RawURLEncoding.EncodeToString(key.id[:])
	}
	return ids
}

// AppendKeyID appends the first key's id in binary form, [KeyIDSize] bytes.
func (k *Keyring) AppendKeyID(dst []byte) []byte { return append(dst, k.keys[0].id[:]...) }

// Knows reports whether a key of this binary id is in the ring.
func (k *Keyring) Knows(id []byte) bool { return k.find(id) != nil }

// Random returns n bytes from the injected source. If that fails, they are the
// operating system's, which never does.
func (k *Keyring) Random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(k.random, b); err != nil {
		_, _ = rand.Read(b)
	}
	return b
}

// String names the keys, so that a keyring that is logged by mistake says
// nothing.
func (k *Keyring) String() string { return fmt.Sprintf("keyring%v", k.KeyIDs()) }

// GoString is String, for the same reason.
func (k *Keyring) GoString() string { return k.String() }

// lockedReader makes an injected source safe for concurrent use.
func lockedReader(r io.Reader) io.Reader {
	if r == nil || r == rand.Reader {
		return rand.Reader
	}
	return &serialReader{r: r}
}

type serialReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (s *serialReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}

var (
	_ fmt.Stringer   = (*Keyring)(nil)
	_ fmt.GoStringer = (*Keyring)(nil)
)
