package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// cacheTimeout is how long the cache may take where a request might wait.
const cacheTimeout = 2 * time.Second

// outage is what this node knows of the token store being away, and what must
// be made good.
type outage struct {
	down   atomic.Bool
	probed atomic.Int64 // when it was last tried for a request

	// wanted counts the reasons to look up the revocations of the last hour,
	// made those that were dealt with.
	wanted, made atomic.Uint64
	// rewrite: the store may have lost revocations, in a fail-over.
	rewrite atomic.Bool
	failed  atomic.Int64 // when making good failed last, or 0

	mu sync.Mutex // held while making good
}

// on reports whether the store did not answer when it was last asked.
func (o *outage) on() bool { return o.down.Load() }

// pending reports whether there is something to make good.
func (o *outage) pending() bool { return o.wanted.Load() != o.made.Load() }

// want has the revocations of the last hour looked up, and with rewrite
// written to the token store again. It does not wait.
func (o *outage) want(rewrite bool) {
	if rewrite {
		o.rewrite.Store(true)
	}
	o.failed.Store(0)
	o.wanted.Add(1)
}

// heard notes whether the store answered. After an outage the revocations of
// the last hour are applied before any of its answers is believed; if the cache
// does not answer either, only those that this node knows itself.
func (m *Manager) heard(ctx context.Context, err error) {
	switch {
	case answered(err):
	case errors.Is(ctx.Err(), context.Canceled):
		return // somebody gave up; that says nothing about the store
	default:
		if !m.outage.down.Swap(true) {
			m.log.Warn("token store does not answer", "error", err)
		}
		return
	}
	if m.outage.down.Load() {
		// First this: whoever sees that the outage is over must also see what
		// is to be done before.
		m.outage.want(true)
		if m.outage.down.CompareAndSwap(true, false) {
			m.log.Info("token store answers again")
			m.wake()
		}
	}
	if m.outage.pending() {
		m.makeGood(ctx)
	}
}

// makeGood applies the revocations that the cache keeps, and writes them and
// this node's own to the token store. Whoever comes while it works waits; what
// fails is tried again a moment later.
func (m *Manager) makeGood(ctx context.Context) {
	m.outage.mu.Lock()
	defer m.outage.mu.Unlock()
	wanted := m.outage.wanted.Load()
	failed := m.outage.failed.Load()
	if !m.outage.pending() || (failed != 0 && m.clock()-time.Duration(failed) < moment) {
		return
	}
	if err := m.applyRecent(ctx); err != nil {
		level := slog.LevelWarn
		if failed != 0 {
			level = slog.LevelDebug // it was said before
		}
		m.log.Log(ctx, level, "recent revocations are not applied yet", "error", err)
		m.outage.failed.Store(max(1, int64(m.clock())))
		return
	}
	m.outage.made.Store(wanted)
}

func (m *Manager) applyRecent(ctx context.Context) error {
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cacheTimeout)
	defer cancel()
	ids, cacheErr := m.cache.RecentRevocations(cctx)
	m.receive(cache.Announcement{Sessions: ids})
	if !m.outage.rewrite.Load() || m.outage.on() {
		return cacheErr
	}
	m.mu.Lock()
	all := m.endings.revocations()
	m.mu.Unlock()
	if len(all) > 0 {
		if err := m.store.RevokeAgain(ctx, all); err != nil {
			return errors.Join(cacheErr, err)
		}
	}
	if cacheErr == nil {
		m.outage.rewrite.Store(false)
	}
	return cacheErr
}
