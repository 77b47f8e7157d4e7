package foreign

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// maxTokens bounds what is remembered, of tokens of at most [MaxLength] whose claims are
// bounded by the provider's package.
const maxTokens = 10_000

// key is a token, at one provider.
type key struct {
	provider string
	sum      [sha256.Size]byte
}

// Known is a token that was verified.
type Known struct {
	// Identity of whom it is of. It is shared and must not be changed.
	Identity *identity.Identity
	// Barred: the provider's own rules do not let it in.
	Barred bool
	// JKT and X5T are what the token is bound to, see [provider.Accepted].
	JKT, X5T string
	// expires is when it is to be verified anew.
	expires time.Time
	// tried is when the store was last asked about its subject and did not answer, in
	// nanoseconds since 1970.
	tried atomic.Int64
}

// refusal is that a token was refused; it is kept for a moment, so that a client that
// tries again at once costs its provider no question.
type refusal struct {
	err   error
	until time.Time
}

type cache struct {
	mu      sync.RWMutex
	known   map[key]*Known
	refused map[key]refusal
}

func (c *cache) get(k key, now time.Time) (*Known, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r, ok := c.refused[k]; ok && now.Before(r.until) {
		return nil, r.err
	}
	if found := c.known[k]; found != nil && now.Before(found.expires) {
		return found, nil
	}
	return nil, nil
}

// last is what was known of a token that is to be verified anew, or nil.
func (c *cache) last(k key) *Known {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known[k]
}

func (c *cache) put(k key, v *Known, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxTokens {
		makeRoom(c.known, func(v *Known) bool { return now.Before(v.expires) })
	}
	c.known[k] = v
}

func (c *cache) refuse(k key, r refusal, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, k)
	if len(c.refused) >= maxTokens {
		makeRoom(c.refused, func(r refusal) bool { return now.Before(r.until) })
	}
	c.refused[k] = r
}

// makeRoom drops what is over, and of the rest any until a twentieth is free.
func makeRoom[T any](m map[key]T, lives func(T) bool) {
	for k, v := range m {
		if !lives(v) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < maxTokens*95/100 {
			return
		}
		delete(m, k)
	}
}
