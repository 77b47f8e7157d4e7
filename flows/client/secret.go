package client

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"sync/atomic"
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
	sum    atomic.Pointer[[sha256.Size]byte]
	checks slowChecks
}

func (v *verified) is(sum *[sha256.Size]byte) bool {
	known := v.sum.Load()
	return known != nil && subtle.ConstantTimeCompare(sum[:], known[:]) == 1
}

// NewSecret makes a Secret of one that is known in clear. Secrets are random
// and long, so a fast hash is right for them.
func NewSecret(secret string) Secret { return Secret{sum: sha256.Sum256([]byte(secret))} }

// NewHashedSecret makes a Secret of a hash, checked by compare.
func NewHashedSecret(hash string, compare func(hash, secret []byte) (bool, error)) Secret {
	return Secret{hash: hash, compare: compare, verified: &verified{}}
}

// known reports whether the sum is of a secret that passed a slow check.
func (s Secret) known(sum *[sha256.Size]byte) bool { return s.verified != nil && s.verified.is(sum) }

// Matches reports whether a secret that is presented from an address is this one, in
// constant time for a secret known in clear. A hash that must be checked waits its
// turn: [ErrBusy].
func (s Secret) Matches(ctx context.Context, presented, from string) (bool, error) {
	sum := sha256.Sum256([]byte(presented))
	if s.compare == nil {
		return subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1, nil
	}
	if s.known(&sum) {
		return true, nil
	}
	return s.verified.checks.do(ctx, sum, from, func() bool {
		if s.known(&sum) {
			return true // by a check that ended meanwhile
		}
		ok, err := s.compare([]byte(s.hash), []byte(presented))
		if err != nil || !ok {
			return false
		}
		s.verified.sum.Store(&sum)
		return true
	})
}

// MatchesSecret reports whether a secret that is presented from an address is one of
// the client's. [ErrBusy].
func (c *Client) MatchesSecret(ctx context.Context, presented, from string) (bool, error) {
	if presented == "" || strings.ContainsRune(presented, 0) {
		return false, nil
	}
	sum := sha256.Sum256([]byte(presented))
	if slices.ContainsFunc(c.Secrets, func(s Secret) bool { return s.known(&sum) }) {
		return true, nil // it needs no slow check of the others
	}
	for _, s := range c.Secrets {
		if ok, err := s.Matches(ctx, presented, from); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
