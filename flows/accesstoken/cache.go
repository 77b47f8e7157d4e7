package accesstoken

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// What one node remembers of verified tokens, at most: their number and, by
// estimate, what they take of memory, in bytes. The common token takes less than a
// kilobyte, one with many groups more than thirty. Beyond, some are verified again.
const (
	maxTokens     = 50_000
	maxTokenBytes = 64 << 20
)

// Verified is an access token whose signature was checked.
type Verified struct {
	Claims *Claims
	// who, for a token without a session; with one, the session is asked, so
	// that a revocation counts at once.
	who     *identity.Identity
	Session uuid.UUID
	// key is the thumbprint of the key that signed it.
	key string
	// expires is when the signature is to be checked anew: when the token ends, or
	// when the longest life of any that is issued here has passed.
	expires time.Time
}

// size is what a bearer takes of memory, in bytes: its strings, what a slice and
// the allocator add to each, and the rest by measurement.
func (b *Verified) size() int {
	const fixed, each, ofWho = 512, 24, 256
	c := b.Claims
	n := fixed + len(c.Issuer) + len(c.Subject) + len(c.ID) + len(c.ClientID) + len(c.SessionID) + len(c.Scope) + len(c.ACR)
	for _, list := range [][]string{c.Audience, c.Groups} {
		for _, s := range list {
			n += each + len(s)
		}
	}
	if b.who != nil {
		n += ofWho + len(c.Scope)
	}
	return n
}

// tokens remembers verified tokens by their SHA-256 sum, until they expire, and no
// longer than the longest life that this configuration gives one.
type tokens struct {
	mu    sync.RWMutex
	known map[[sha256.Size]byte]*Verified
	bytes int // of known

	revoked
}

func newTokens() *tokens {
	b := &tokens{known: make(map[[sha256.Size]byte]*Verified)}
	b.begin()
	return b
}

func (b *tokens) get(sum [sha256.Size]byte, now time.Time) *Verified {
	b.mu.RLock()
	found := b.known[sum]
	b.mu.RUnlock()
	if found == nil || !now.Before(found.expires) {
		return nil
	}
	return found
}

func (b *tokens) put(sum [sha256.Size]byte, v *Verified, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(sum)
	if len(b.known) >= maxTokens || b.bytes+v.size() > maxTokenBytes {
		b.makeRoom(now)
	}
	b.known[sum] = v
	b.bytes += v.size()
}

// makeRoom drops what has expired, and some of the others: map order is random.
// More than a hundredth becomes free, so that it is seldom done. mu is held.
func (b *tokens) makeRoom(now time.Time) {
	for sum, was := range b.known {
		if !now.Before(was.expires) || len(b.known) > maxTokens*99/100 || b.bytes > maxTokenBytes*99/100 {
			b.drop(sum)
		}
		if len(b.known) < maxTokens*95/100 && b.bytes < maxTokenBytes*95/100 {
			return
		}
	}
}

// drop forgets a token. mu is held.
func (b *tokens) drop(sum [sha256.Size]byte) {
	if was := b.known[sum]; was != nil {
		delete(b.known, sum)
		b.bytes -= was.size()
	}
}
