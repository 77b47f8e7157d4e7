package vault

import (
	"sync"
	"time"
)

const (
	// firstBackoff doubles with each failure in a row, up to maxBackoff.
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// breaker keeps a provider that is down from being asked again and again. After
// a failure nobody asks until the pause is over; then one caller does, and the
// others wait for what becomes of that.
type breaker struct {
	mu       sync.Mutex
	failures int
	retryAt  time.Time
	probing  bool
}

// wait is how long not to ask the provider; 0: it may be asked.
func (b *breaker) wait(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waitLocked(now)
}

func (b *breaker) waitLocked(now time.Time) time.Duration {
	switch {
	case b.failures == 0:
		return 0
	case now.Before(b.retryAt):
		return b.retryAt.Sub(now)
	case b.probing:
		return firstBackoff
	}
	return 0
}

// enter is wait for who asks if it is 0, and must then call leave.
func (b *breaker) enter(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := b.waitLocked(now)
	if wait == 0 {
		b.probing = b.failures > 0
	}
	return wait
}

// leave says what became of asking. It returns how long not to ask again.
func (b *breaker) leave(now time.Time, answered bool, jitter func(time.Duration) time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if answered {
		b.failures, b.retryAt = 0, time.Time{}
		return 0
	}
	if now.Before(b.retryAt) {
		return b.retryAt.Sub(now) // several that were under way fail once
	}
	pause := backoff(b.failures, jitter)
	b.failures++
	b.retryAt = now.Add(pause)
	return pause
}

// abstain is leave of who cannot tell whether the provider is up.
func (b *breaker) abstain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// backoff is the pause after a failure that came after so many others.
func backoff(failures int, jitter func(time.Duration) time.Duration) time.Duration {
	d := min(firstBackoff<<min(failures, 10), maxBackoff)
	return d + jitter(d/10)
}
