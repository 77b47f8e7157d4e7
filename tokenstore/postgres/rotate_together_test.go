package postgres_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// crowd is more sessions than a node rotates at once, one of them locked by
// somebody else until release is called.
type crowd struct {
	sessions []tokenstore.Session
	release  func()
}

func newCrowd(t *testing.T, store *postgres.Store, url string, locked int) crowd {
	t.Helper()
	c := crowd{release: func() {}}
	for range 40 {
		c.sessions = append(c.sessions, signIn(t, store))
	}
	if locked > 0 {
		tx, err := database(t, url).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.sessions[:locked] {
			if _, err := tx.Exec(t.Context(), "SELECT 1 FROM session WHERE id = $1 FOR UPDATE", s.ID); err != nil {
				t.Fatal(err)
			}
		}
		c.release = func() {
			if err := tx.Rollback(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
	}
	return c
}

// rotate rotates them at the same moment, rounds times each.
func (c crowd) rotate(t *testing.T, store *postgres.Store, sessions []tokenstore.Session, rounds uint32) {
	t.Helper()
	var wg sync.WaitGroup
	for _, session := range sessions {
		wg.Go(func() {
			for generation := range rounds {
				result, err := store.Rotate(t.Context(), rotation(session, generation))
				if err != nil || result.Retry || result.Session.ID != session.ID || result.Session.Generation != generation+1 {
					t.Errorf("generation %d: got %d of the same session %v, a retry %v: %v", generation,
						result.Session.Generation, result.Session.ID == session.ID, result.Retry, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestRotationsThatWaitShareRoundTrips(t *testing.T) {
	var traced statements
	store := migrated(t, postgres.Options{Tracer: &traced})
	c := newCrowd(t, store, "", 0)
	c.rotate(t, store, c.sessions, 3) // prepares the statements
	c.shareRoundTrips(t, store, &traced, 3)
}

// A node that was asked before another one made the tables, or the month's, has
// its rotations go together all the same once these are there.
func TestRotationsGoTogetherOnceTheirMonthExists(t *testing.T) {
	var traced statements
	url := postgrestest.URL(t)
	store := open(t, postgres.Options{URL: url, Tracer: &traced})
	early := func() {
		t.Helper()
		r := tokenstore.Rotation{ID: newID(t), SecretHash: []byte("hash"), ClientID: "app.example", Grace: 30 * time.Second}
		if _, err := store.Rotate(t.Context(), r); err == nil {
			t.Error("a session was rotated that does not exist")
		}
	}
	early()
	other := migrated(t, postgres.Options{URL: url})
	execute(t, database(t, url), "DROP TABLE "+table(time.Now()))
	early()
	maintain(t, other)
	c := newCrowd(t, other, "", 0)
	c.rotate(t, store, c.sessions, 3)
	c.shareRoundTrips(t, store, &traced, 3)
}

// shareRoundTrips rotates this generation of all at the same moment, and fails
// the test if nobody went with another.
func (c crowd) shareRoundTrips(t *testing.T, store *postgres.Store, traced *statements, generation uint32) {
	t.Helper()
	before := traced.n.Load()
	var wg sync.WaitGroup
	for _, s := range c.sessions {
		wg.Go(func() {
			if _, err := store.Rotate(t.Context(), rotation(s, generation)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// One goes by itself; how many batches take the rest depends on who comes
	// when, and each takes at least one.
	if n := traced.n.Load() - before; n >= int64(len(c.sessions)) {
		t.Errorf("%d rotations took %d round trips", len(c.sessions), n)
	}
}

// Somebody else's locks hold up their sessions, more of them than are rotated
// at once, and no other for long.
func TestRotationsThatWaitAreNotHeldUpByOne(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url, Timeout: time.Minute})
	c := newCrowd(t, store, url, 8)
	var stuck sync.WaitGroup
	var early atomic.Int64
	var released atomic.Bool
	for _, s := range c.sessions[:8] {
		stuck.Go(func() {
			if _, err := store.Rotate(t.Context(), rotation(s, 0)); err != nil {
				t.Errorf("once the lock is gone: %v", err)
			}
			if !released.Load() {
				early.Add(1)
			}
		})
	}
	c.rotate(t, store, c.sessions[8:], 5)
	released.Store(true)
	c.release()
	stuck.Wait()
	if early.Load() > 0 {
		t.Error("a locked session was rotated")
	}
}

// A session of a month that has no table fails its statement, and with it the
// batch; the others are rotated all the same, and from then on together.
func TestRotationsThatWaitDoNotFailWithOne(t *testing.T) {
	var traced statements
	store := migrated(t, postgres.Options{Tracer: &traced})
	c := newCrowd(t, store, "", 0)
	old := c.sessions[0]
	old.ID = uuid.MustParse("01800000-0000-7000-8000-000000000000") // April 2022
	const callers, rounds = 20, 5
	var others sync.WaitGroup
	for range callers {
		others.Go(func() {
			for range rounds {
				if _, err := store.Rotate(t.Context(), rotation(old, 0)); !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("of a month without a table: %v", err)
				}
			}
		})
	}
	c.rotate(t, store, c.sessions[1:], rounds)
	others.Wait()

	before := traced.n.Load()
	stop := make(chan struct{})
	var olds atomic.Int64
	for range 4 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = store.Rotate(t.Context(), rotation(old, 0))
					olds.Add(1)
				}
			}
		})
	}
	const more = 20
	var wg sync.WaitGroup
	for _, s := range c.sessions[1:] {
		wg.Go(func() {
			for n := range uint32(more) {
				if _, err := store.Rotate(t.Context(), rotation(s, rounds+n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	others.Wait()
	// Each of the old one's takes four statements at most.
	if n, rotations := traced.n.Load()-before-4*olds.Load(), int64(more*len(c.sessions[1:])); n > rotations/4 {
		t.Errorf("%d rotations took %d statements beside those of the old one", rotations, n)
	}
}

// Who goes away while waiting takes nobody along, and what was rotated for him
// is there when he asks again.
func TestRotationsThatWaitOutliveWhoLeaves(t *testing.T) {
	store := migrated(t, postgres.Options{})
	c := newCrowd(t, store, "", 0)
	leaving, staying := c.sessions[:20], c.sessions[20:]
	var wg sync.WaitGroup
	for n, s := range leaving {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*100*time.Microsecond)
			defer cancel()
			if _, err := store.Rotate(ctx, rotation(s, 0)); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, tokenstore.ErrUnavailable) {
				t.Errorf("leaving: %v", err)
			}
		})
	}
	c.rotate(t, store, staying, 5)
	wg.Wait()
	for _, s := range leaving {
		result, err := store.Rotate(t.Context(), rotation(s, 0))
		if err != nil || result.Session.Generation != 1 {
			t.Errorf("asking again: generation %d, %v", result.Session.Generation, err)
		}
	}
}
