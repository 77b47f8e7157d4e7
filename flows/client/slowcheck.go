package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrBusy: too many secrets from one address wait to be checked, or the caller
// went away before it was its turn. Trying again is right.
var ErrBusy = errors.New("too many client secrets are being checked")

// maxWaiting is how many different secrets from one address may wait.
const maxWaiting = 16

// slowChecks has the slow checks of one secret follow each other: whoever sends
// wrong secrets takes one core at most. Addresses take turns, so that the first use
// of the right secret waits for the check that is under way, and then for no
// more than one of each other address.
type slowChecks struct {
	mu      sync.Mutex
	running *slowCheck
	of      string   // the address whose turn it is
	turns   []string // the other addresses that wait, in the order of their turns
	waiting map[string][]*slowCheck
	bySum   map[[sha256.Size]byte]*slowCheck
}

// slowCheck is the check of one presented secret, for all who present it.
type slowCheck struct {
	sum     [sha256.Size]byte
	from    []string // addresses in whose queues it is
	callers int
	turn    chan struct{} // closed when it is its turn
	claimed bool          // by the caller that does it
	done    chan struct{} // closed when ok is set
	ok      bool
}

// do does a check when it is its turn, or waits for another caller who does the
// same one.
func (c *slowChecks) do(ctx context.Context, sum [sha256.Size]byte, from string, check func() bool) (bool, error) {
	k, err := c.join(sum, from)
	if err != nil {
		return false, err
	}
	select {
	case <-k.turn:
	case <-ctx.Done():
		return false, c.leave(ctx, k)
	}
	if c.claim(k) {
		defer c.finish(k)
		k.ok = check()
		return k.ok, nil
	}
	select {
	case <-k.done:
		return k.ok, nil
	case <-ctx.Done():
		return false, c.leave(ctx, k)
	}
}

// join queues a check for an address, which may be queued for others already.
func (c *slowChecks) join(sum [sha256.Size]byte, from string) (*slowCheck, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySum == nil {
		c.waiting, c.bySum = make(map[string][]*slowCheck), make(map[[sha256.Size]byte]*slowCheck)
	}
	k, full := c.bySum[sum], len(c.waiting[from]) >= maxWaiting
	switch {
	case k == nil && full:
		return nil, ErrBusy
	case k == nil:
		k = &slowCheck{sum: sum, turn: make(chan struct{}), done: make(chan struct{})}
		c.bySum[sum] = k
	}
	k.callers++
	if k == c.running || full || slices.Contains(k.from, from) {
		return k, nil
	}
	if len(c.waiting[from]) == 0 && (c.running == nil || c.of != from) {
		c.turns = append(c.turns, from)
	}
	k.from = append(k.from, from)
	c.waiting[from] = append(c.waiting[from], k)
	if c.running == nil {
		c.next()
	}
	return k, nil
}

// claim reports whether the caller is the one to do the check.
func (c *slowChecks) claim(k *slowCheck) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !k.claimed
	k.claimed = true
	return first
}

func (c *slowChecks) finish(k *slowCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(k.done)
	c.next()
}

// leave is for a caller who waits no longer. A check that nobody waits for is not
// done.
func (c *slowChecks) leave(ctx context.Context, k *slowCheck) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.callers--
	switch {
	case k.callers > 0, k.claimed:
	case k == c.running:
		c.next()
	default:
		c.remove(k)
		delete(c.bySum, k.sum)
	}
	return fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
}

// next ends the running check and gives the next one its turn. The address that
// had it comes last. mu is held.
func (c *slowChecks) next() {
	if c.running != nil {
		delete(c.bySum, c.running.sum)
		if len(c.waiting[c.of]) > 0 {
			c.turns = append(c.turns, c.of)
		}
	}
	c.running = nil
	if len(c.turns) == 0 {
		return
	}
	c.of = c.turns[0]
	c.running = c.waiting[c.of][0]
	c.remove(c.running)
	c.turns = slices.DeleteFunc(c.turns, func(from string) bool { return from == c.of })
	close(c.running.turn)
}

// remove takes a check out of all queues. mu is held.
func (c *slowChecks) remove(k *slowCheck) {
	for _, from := range k.from {
		left := slices.DeleteFunc(c.waiting[from], func(other *slowCheck) bool { return other == k })
		if len(left) > 0 {
			c.waiting[from] = left
			continue
		}
		delete(c.waiting, from)
		c.turns = slices.DeleteFunc(c.turns, func(other string) bool { return other == from })
	}
	k.from = nil
}
