package session

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func BenchmarkAuthenticate(b *testing.B) {
	n := newWorld(b).node(func(c *Config) { c.Now = time.Now })
	s := n.signIn()
	b.Run("warm", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := n.Authenticate(b.Context(), host, s.Handle); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("warm parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := n.Authenticate(b.Context(), host, s.Handle); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("forged", func(b *testing.B) {
		b.ReportAllocs()
		forged := s.Handle[:75] + flip(s.Handle[75:])
		for b.Loop() {
			if _, err := n.Authenticate(b.Context(), host, forged); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

// many fills a node with sessions that only it knows, and returns their
// handles. Their strings are their own, as rows from a database are.
func many(tb testing.TB, n *node, count int) []string {
	tb.Helper()
	handles := make([]string, count)
	for i := range handles {
		h := handle.Handle{ID: handle.NewID(n.now(), nil)}
		copy(h.Secret[:], n.randomBytes(len(h.Secret)))
		claims := alice()
		claims.Extra = nil
		claims.ID = fmt.Sprintf("10832147630%08d", i)
		claims.User = fmt.Sprintf("alice.%08d@example.com", i)
		claims.Email, claims.Name = claims.User, fmt.Sprintf("Alice Example %d", i)
		box, err := n.sealClaims(h.ID, sealed{Claims: claims})
		if err != nil {
			tb.Fatal(err)
		}
		before, now := n.mark(), n.now()
		row := tokenstore.Session{
			ID: h.ID, Parent: handle.NewID(now, nil), Subject: n.newSubject(), ClientID: host,
			Claims: box, SecretHash: h.SecretHash(), Idle: 7 * 24 * time.Hour,
			RotatedAt: now, SeenAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour), Now: now,
		}
		if _, err := n.admit(row, before); err != nil {
			tb.Fatal(err)
		}
		handles[i] = handle.MintSession(n.keys, h)
		if _, err := n.Authenticate(tb.Context(), host, handles[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return handles
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

const maxPerSession = 1024

// A live session takes less than 1 KiB, all told.
func TestMemoryPerSession(t *testing.T) {
	const count = 20_000
	n := newWorld(t).node()
	before := heap()
	handles := many(t, n, count)
	per := (int64(heap()) - int64(before)) / count
	own := int64(len(handles[0]) + 16 + 4) // the test's own copy of the handle
	t.Logf("%d bytes per session", per-own)
	if per-own >= maxPerSession {
		t.Errorf("%d bytes per session, want less than %d", per-own, maxPerSession)
	}
	runtime.KeepAlive(handles)
	runtime.KeepAlive(n)
}

func BenchmarkMemoryPerSession(b *testing.B) {
	n := newWorld(b).node(func(c *Config) { c.MaxEntries = 10_000_000 })
	before := heap()
	b.ResetTimer()
	handles := many(b, n, b.N)
	b.StopTimer()
	b.ReportMetric(float64(int64(heap())-int64(before))/float64(b.N)-96, "bytes/session")
	runtime.KeepAlive(handles)
	runtime.KeepAlive(n)
}

// One tick in which 10,000 sessions are due, with and without SQLite.
func BenchmarkRevalidate(b *testing.B) {
	const count = 10_000
	b.Run("10000", func(b *testing.B) {
		w := newWorld(b)
		n := w.node()
		many(b, n, count)
		answers := &echo{Store: n.store.Store, now: w.clock.now, table: n.table}
		n.store.Store = answers
		b.ReportAllocs()
		for b.Loop() {
			n.epoch.Add(1)
			n.sweep(b.Context())
		}
		if n.table.len() != count {
			b.Fatalf("%d sessions are left", n.table.len())
		}
	})
	b.Run("10000 in SQLite", func(b *testing.B) {
		w := newWorld(b)
		n := w.node()
		first := n.signIn()
		for range count - 1 {
			if _, err := w.store.CreateSession(b.Context(), tokenstore.NewSession{
				ID: handle.NewID(n.now(), nil), Subject: first.Session.Subject, ClientID: host,
				Claims: first.Session.Claims, SecretHash: first.Session.SecretHash, Idle: time.Hour, Lifetime: time.Hour,
			}); err != nil {
				b.Fatal(err)
			}
		}
		ids, err := w.store.ListSessions(b.Context(), tokenstore.SessionQuery{All: true, Limit: 1000})
		if err != nil {
			b.Fatal(err)
		}
		for {
			page, err := w.store.ListSessions(b.Context(), tokenstore.SessionQuery{All: true, Limit: 1000, Before: ids[len(ids)-1].ID})
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			ids = append(ids, page...)
		}
		for _, row := range ids {
			if row.ID == first.Session.ID {
				continue
			}
			e, err := n.entryOf(row, sealed{Claims: alice()}, n.mark())
			if err != nil {
				b.Fatal(err)
			}
			n.table.put(e)
		}
		b.ResetTimer()
		for b.Loop() {
			n.epoch.Add(1)
			n.sweep(b.Context())
		}
		if n.table.len() != count {
			b.Fatalf("%d sessions are left", n.table.len())
		}
	})
}

// echo finds every session live, without a database.
type echo struct {
	tokenstore.Store
	now   func() time.Time
	table *table
}

func (e *echo) Revalidate(_ context.Context, ids, _ []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	now := e.now()
	states := make([]tokenstore.SessionState, len(ids))
	for i, id := range ids {
		states[i] = tokenstore.SessionState{
			ID: id, ExpiresAt: now.Add(30 * 24 * time.Hour), EndsAt: now.Add(7 * 24 * time.Hour), Claims: e.table.get(&id).stamp,
		}
	}
	return states, now, nil
}
