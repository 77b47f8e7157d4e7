package vault

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// maxPauses bounds the rows of a provider that a node remembers to pause.
const maxPauses = 10_000

// pauses keep a provider from being asked again and again about one user's token
// that it refuses, though not for good. Nobody else has to wait for that.
type pauses struct {
	mu sync.Mutex
	of map[string]pause // by subject
}

type pause struct {
	version  int64 // of the row: another has another token
	failures int
	until    time.Time
}

// wait is how long not to ask about a row; 0: it may be asked about.
func (p *pauses) wait(now time.Time, row tokenstore.ProviderToken) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.of[row.Subject]; ok && known.version == row.Version {
		return max(0, known.until.Sub(now))
	}
	return 0
}

// begin notes that the provider refused a row's token, and returns how long not to
// ask again: as of a [breaker], the longer the more often.
func (p *pauses) begin(now time.Time, row tokenstore.ProviderToken, jitter func(time.Duration) time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	failures := 0
	if known, ok := p.of[row.Subject]; ok && known.version == row.Version {
		failures = known.failures
	}
	if p.of == nil {
		p.of = make(map[string]pause)
	}
	p.makeRoom(now)
	d := backoff(failures, jitter)
	p.of[row.Subject] = pause{version: row.Version, failures: failures + 1, until: now.Add(d)}
	return d
}

// makeRoom forgets what is over, or whichever comes first, when there are too many.
func (p *pauses) makeRoom(now time.Time) {
	if len(p.of) < maxPauses {
		return
	}
	for subject, known := range p.of {
		if !now.Before(known.until) {
			delete(p.of, subject)
		}
	}
	for subject := range p.of {
		if len(p.of) < maxPauses {
			return
		}
		delete(p.of, subject)
	}
}
