package oidc

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// cached keeps what a provider publishes. It is fetched when first asked for, by
// one fetch at a time that belongs to no caller: who gives up waiting fails
// alone. When it is older than maxAge it is renewed in the background and goes
// on to serve meanwhile, however long that fails.
type cached[T any] struct {
	fetch  func(ctx context.Context) (T, error)
	failed func(ctx context.Context, err error)
	now    func() time.Time
	maxAge time.Duration
	life   *lifetime

	mu        sync.Mutex
	value     T
	err       error // of the latest fetch
	has       bool
	fetchedAt time.Time
	attemptAt time.Time
	retryAt   time.Time
	failures  int
	flight    chan struct{} // closed when the running fetch is done
}

const (
	// firstBackoff doubles with each failure, up to maxBackoff.
	firstBackoff = time.Second
	maxBackoff   = time.Minute
	// renewInterval is the least time between two fetches for a token that
	// anybody may have sent: key ids are an attacker's to choose.
	renewInterval = time.Minute
)

// get returns what is there, or waits for the first fetch. Between failed
// first fetches the last error is returned at once.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	now := c.now()
	if c.has {
		defer c.mu.Unlock()
		if now.Sub(c.fetchedAt) >= c.maxAge && !now.Before(c.retryAt) {
			c.start(now)
		}
		return c.value, nil
	}
	if c.flight == nil && c.err != nil && now.Before(c.retryAt) {
		defer c.mu.Unlock()
		return c.value, c.err
	}
	return c.wait(ctx, c.start(now))
}

// renew fetches anew for somebody to whom what is there is not enough, unless
// that was done less than an interval ago.
func (c *cached[T]) renew(ctx context.Context, interval time.Duration) (T, error) {
	c.mu.Lock()
	now := c.now()
	if c.flight == nil && now.Sub(c.attemptAt) < interval {
		defer c.mu.Unlock()
		return c.outcome()
	}
	return c.wait(ctx, c.start(now))
}

// outcome is what there is, else why there is nothing. The caller holds the
// lock.
func (c *cached[T]) outcome() (T, error) {
	if c.has {
		return c.value, nil
	}
	return c.value, c.err
}

// wait unlocks.
func (c *cached[T]) wait(ctx context.Context, flight <-chan struct{}) (T, error) {
	c.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcome()
}

// start begins a fetch, or joins the one that runs. The caller holds the lock.
func (c *cached[T]) start(now time.Time) <-chan struct{} {
	if c.flight != nil {
		return c.flight
	}
	flight := make(chan struct{})
	c.flight, c.attemptAt = flight, now
	c.life.run(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, outbound.Timeout)
		defer cancel()
		value, err := c.fetch(ctx)
		if err != nil {
			c.failed(ctx, err)
		}
		c.finish(value, err)
		close(flight)
	})
	return flight
}

func (c *cached[T]) finish(value T, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight, c.err = nil, err
	now := c.now()
	if err != nil {
		c.retryAt = now.Add(min(firstBackoff<<min(c.failures, 10), maxBackoff))
		c.failures++
		return
	}
	c.value, c.has, c.fetchedAt, c.failures, c.retryAt = value, true, now, 0, time.Time{}
}

// lifetime ends what runs in the background.
type lifetime struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	ended bool
	wg    sync.WaitGroup
}

func newLifetime() *lifetime {
	l := &lifetime{}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

func (l *lifetime) run(f func(ctx context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended { // f fails at once, and nobody may wait for it any more
		go f(l.ctx)
		return
	}
	l.wg.Go(func() { f(l.ctx) })
}

func (l *lifetime) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.cancel()
	l.wg.Wait()
}
