package keyring

import (
	"crypto/cipher"
	"encoding/base64"

	"golang.org/x/crypto/chacha20poly1305"
)

// Overhead is by how much sealed bytes are longer than the plaintext.
const Overhead = KeyIDSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Seal encrypts and authenticates plaintext under the first key: key id,
// nonce, ciphertext. The label is the purpose; aad is where the bytes will
// stand (table, row, column), so that they open nowhere else.
//
// The cipher is XChaCha20-Poly1305. Its 192-bit nonces may be random for any
// number of messages; those of AES-GCM only for 2^32 (NIST SP 800-38D, 8.3).
func (k *Keyring) Seal(label string, aad, plaintext []byte) []byte {
	out := make([]byte, 0, Overhead+len(plaintext))
	out = append(out, k.keys[0].id[:]...)
	out = append(out, k.Random(chacha20poly1305.NonceSizeX)...)
	nonce := out[KeyIDSize:]
	return k.keys[0].aead(label).Seal(out, nonce, plaintext, aad)
}

// Open decrypts what [Keyring.Seal] made with any of the keys. ErrKey: none of
// the keys has the id that the bytes name. ErrOpen: anything else is wrong.
func (k *Keyring) Open(label string, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrOpen
	}
	key := k.find(sealed[:KeyIDSize])
	if key == nil {
		return nil, ErrKey
	}
	nonce := sealed[KeyIDSize : KeyIDSize+chacha20poly1305.NonceSizeX]
	plaintext, err := key.aead(label).Open(nil, nonce, sealed[KeyIDSize+chacha20poly1305.NonceSizeX:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// SealString is Seal as base64url without padding.
func (k *Keyring) SealString(label string, aad, plaintext []byte) string {
	return base64.RawURLEncoding.EncodeToString(k.Seal(label, aad, plaintext))
}

// OpenString opens what SealString made. Only the one spelling that it makes is
// accepted: no padding, no line breaks, no stray trailing bits.
func (k *Keyring) OpenString(label string, aad []byte, s string) ([]byte, error) {
	sealed, err := decodeStrict(s)
	if err != nil {
		return nil, ErrOpen
	}
	return k.Open(label, aad, sealed)
}

// decodeStrict decodes canonical base64url. The library's strict mode still
// skips line breaks (RFC 4648, 3.3 forbids that), so the length is compared.
func decodeStrict(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	if base64.RawURLEncoding.EncodedLen(len(b)) != len(s) {
		return nil, ErrOpen
	}
	return b, nil
}

// aead is the cipher of one label. New has tried it, and a derived key has the
// right length, so there is no error left to report.
func (k *key) aead(label string) cipher.AEAD {
	aead, _ := chacha20poly1305.NewX(k.expand("seal", label))
	return aead
}
