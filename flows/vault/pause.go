package vault

import (
	"sync"
	"time"
)

// maxPauses bounds the rows of a provider that a node remembers to pause, and the
// purposes.
const maxPauses = 10_000

// pauses keep a provider from being asked again and again about one user's token
// that it refuses, though not for good, or for one purpose. Nobody else has to wait for
// that.
type pauses struct {
	mu sync.Mutex
	of map[string]pause // by subject, or purpose
}

type pause struct {
	version  int64 // of the row: another has another token
	failures int
	until    time.Time
	cause    error
}

// wait is how long not to ask, and why; 0: it may be asked.
func (p *pauses) wait(now time.Time, key string, version int64) (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.of[key]
	if !ok || known.version != version || !now.Before(known.until) {
		return 0, nil
	}
	return known.until.Sub(now), known.cause
}

// begin notes why the provider refused, and returns how long not to ask again: as of a
// [breaker], the longer the more often.
func (p *pauses) begin(now time.Time, key string, version int64, cause error, jitter func(time.Duration) time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	failures := 0
	if known, ok := p.of[key]; ok && known.version == version {
		failures = known.failures
	}
	if p.of == nil {
		p.of = make(map[string]pause)
	}
	p.makeRoom(now)
	d := backoff(failures, jitter)
	p.of[key] = pause{version: version, failures: failures + 1, until: now.Add(d), cause: cause}
	return d
}

// end forgets a pause.
func (p *pauses) end(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, key)
}

// makeRoom forgets what is over, or whichever comes first, when there are too many.
func (p *pauses) makeRoom(now time.Time) {
	if len(p.of) < maxPauses {
		return
	}
	for key, known := range p.of {
		if !now.Before(known.until) {
			delete(p.of, key)
		}
	}
	for key := range p.of {
		if len(p.of) < maxPauses {
			return
		}
		delete(p.of, key)
	}
}
