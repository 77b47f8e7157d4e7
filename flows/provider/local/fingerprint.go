package local

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// fingerprint tells a password hash from every other, of this user or another. It
// needs no key of ours, so that it outlives a change of secrets: a password hash
// has a random salt of 128 bits, which nobody guesses who has the fingerprint
// alone, and claims are sealed wherever they are stored.
func fingerprint(name, passwordHash string) string {
	h := sha256.New()
	fmt.Fprintf(h, "gatehouse local user|%d:%s|%s", len(name), name, passwordHash)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
