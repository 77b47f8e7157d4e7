package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync"
)

// Secret is a client secret: the secret itself, kept as its SHA-256 sum, or a
// hash of it, which is slow to check by design.
type Secret struct {
	sum     [sha256.Size]byte
	hash    string
	compare func(hash, secret []byte) (bool, error)

	verified *verified
}

// verified remembers the sum of a secret that passed a slow check, so that no
// token request pays for it twice.
type verified struct {
	mu  sync.Mutex
	sum [sha256.Size]byte
	set bool
}

// NewSecret makes a Secret of one that is known in clear. Secrets are random
// and long, so a fast hash is right for them.
func NewSecret(secret string) Secret { return Secret{sum: sha256.Sum256([]byte(secret))} }

// NewHashedSecret makes a Secret of a hash, checked by compare.
func NewHashedSecret(hash string, compare func(hash, secret []byte) (bool, error)) Secret {
	return Secret{hash: hash, compare: compare, verified: &verified{}}
}

// Matches tells whether a presented secret is this one, in constant time for a
// secret known in clear.
func (s Secret) Matches(presented string) bool {
	sum := sha256.Sum256([]byte(presented))
	if s.compare == nil {
		return subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1
	}
	s.verified.mu.Lock()
	defer s.verified.mu.Unlock()
	if s.verified.set && subtle.ConstantTimeCompare(sum[:], s.verified.sum[:]) == 1 {
		return true
	}
	ok, err := s.compare([]byte(s.hash), []byte(presented))
	if err != nil || !ok {
		return false
	}
	s.verified.sum, s.verified.set = sum, true
	return true
}

// MatchesSecret tells whether a presented secret is one of the client's.
func (c *Client) MatchesSecret(presented string) bool {
	if presented == "" || strings.ContainsRune(presented, 0) {
		return false
	}
	matched := false
	for _, s := range c.Secrets {
		matched = s.Matches(presented) || matched
	}
	return matched
}
