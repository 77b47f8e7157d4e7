package vault

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxHeld bounds the access tokens in memory, of a few kilobytes each at most.
// Beyond it, some are looked up again.
const maxHeld = 20_000

type flight = singleflight.Result

// holdKey is whose token it is, and of which provider.
type holdKey struct{ subject, issuer string }

// holding is an access token in memory. It is not changed once it is held.
type holding struct {
	access Access
	// From renew on, a use has the token renewed in the background; from until
	// on, it waits for that; from stale on, nothing else will do.
	renew, until, stale time.Time
	// need is what must be left of the token's life, ahead how much earlier it
	// is renewed.
	need, ahead time.Duration
	epoch       uint64
	renewing    atomic.Bool
}

// held are the access tokens in memory.
type held struct {
	mu    sync.RWMutex
	known map[holdKey]*holding
	// generation counts what was forgotten. What was looked up before must not
	// come back.
	generation uint64
	// epoch grows when nothing is certain any more.
	epoch atomic.Uint64
}

func (h *held) get(key holdKey) *holding {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.known[key]
}

// mark is to be noted before a token is looked up.
func (h *held) mark() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.generation
}

// put holds a token that was looked up after the mark, unless one was forgotten
// meanwhile.
func (h *held) put(key holdKey, value *holding, mark uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.generation != mark {
		return
	}
	if h.known == nil {
		h.known = make(map[holdKey]*holding)
	}
	if _, there := h.known[key]; !there && len(h.known) >= maxHeld {
		dropped := 0
		for old := range h.known { // in random order
			delete(h.known, old)
			if dropped++; dropped == maxHeld/100 {
				break
			}
		}
	}
	h.known[key] = value
}

// postpone has a token used until then although it should have been looked up:
// that cannot be done now.
func (h *held) postpone(key holdKey, was *holding, then time.Time) {
	then = earlier(then, was.stale)
	next := &holding{
		access: was.access, renew: then, until: then, stale: was.stale, need: was.need, ahead: was.ahead, epoch: h.epoch.Load(),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[key] == was {
		h.known[key] = next
	}
}

// forget drops tokens, and what is being looked up in their place.
func (h *held) forget(keys ...holdKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.generation++
	for _, key := range keys {
		delete(h.known, key)
	}
}

// drop drops a token that is of no use any more.
func (h *held) drop(key holdKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.known, key)
}
