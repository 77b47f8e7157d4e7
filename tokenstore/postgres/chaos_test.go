package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// envKills is how often TestKilledUnderLoad kills the server; 3 by default. The
// long run has 50 or more.
const envKills = "GATEHOUSE_TEST_KILLS"

// recorded is what the store confirmed of one session.
type recorded struct {
	mu      sync.Mutex
	id      uuid.UUID
	session tokenstore.Session
	created bool
	revoked bool
	// generation is the highest that was confirmed; rotations counts, for
	// each generation, the answers that said that it was rotated just now.
	generation uint32
	rotations  map[uint32]int
	// reused are generations that were refused as too old.
	reused []uint32
}

// load signs people in, has two callers present each refresh token, and
// revokes some sessions, for as long as the context lasts. All that the store
// confirms is recorded.
type load struct {
	*testing.T
	store     *postgres.Store
	confirmed atomic.Int64
	mu        sync.Mutex
	sessions  []*recorded
}

// TestKilledUnderLoad kills the server again and again (kill -9) under load. No
// confirmed session, rotation or revocation may be lost, and no generation may
// be rotated twice.
func TestKilledUnderLoad(t *testing.T) {
	kills := 3
	if text := os.Getenv(envKills); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", envKills, err)
		}
		kills = n
	}
	underLoad(t, kills, 4, (*postgrestest.Server).Kill)
}

// TestShutDownUnderLoad restarts the server as its operator does, while so many
// rotations are on their way that they share round trips.
func TestShutDownUnderLoad(t *testing.T) {
	underLoad(t, 2, 24, (*postgrestest.Server).ShutDown)
}

// underLoad ends the server again and again under the load of some workers, and
// starts it again. What was confirmed must be there, and it is used again soon.
func underLoad(t *testing.T, times, workers int, end func(*postgrestest.Server, testing.TB)) {
	server := postgrestest.Start(t, postgrestest.Options{})
	url := server.URL(t) + "&pool_max_conns=8"
	l := &load{T: t, store: migrated(t, postgres.Options{URL: url})}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range workers {
		running.Go(func() { l.work(ctx) })
	}
	for range times {
		l.await(20 + rand.Int64N(100))
		end(server, t)
		server.Restart(t)
		back := time.Now()
		l.await(int64(workers)) // some had their answer before, and did not count it yet
		if took := time.Since(back); took > soon {
			t.Errorf("the server is used again after %v", took)
		}
	}
	l.await(50)
	stop()
	running.Wait()
	rotations := l.check(open(t, postgres.Options{URL: url}))
	t.Logf("%d restarts; %d sessions and %d rotations were confirmed and are all there", times, len(l.sessions), rotations)
}

// await waits until the store confirmed n more operations.
func (l *load) await(n int64) {
	l.Helper()
	target := l.confirmed.Load() + n
	for end := time.Now().Add(5 * time.Minute); l.confirmed.Load() < target; time.Sleep(time.Millisecond) {
		if l.Failed() || time.Now().After(end) {
			l.Fatal("the load came to a halt")
		}
	}
}

func (l *load) work(ctx context.Context) {
	for ctx.Err() == nil && !l.Failed() {
		r := &recorded{id: newID(l), rotations: make(map[uint32]int)}
		l.mu.Lock()
		l.sessions = append(l.sessions, r)
		l.mu.Unlock()
		if !l.signIn(ctx, r) {
			continue
		}
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() { l.rotate(ctx, r, 1+rand.IntN(15)) })
		}
		callers.Wait()
		if rand.IntN(4) == 0 {
			l.revoke(ctx, r)
		}
	}
}

// try calls f until it is confirmed or refused, as a client would. It is an
// error that a failure is anything but ErrUnavailable, or is slow to come.
func (l *load) try(ctx context.Context, doing string, f func() error) (error, bool) {
	for ctx.Err() == nil {
		start := time.Now()
		err := f()
		if took := time.Since(start); took > 30*time.Second {
			l.Errorf("%s took %v", doing, took)
		}
		if !errors.Is(err, tokenstore.ErrUnavailable) {
			l.confirmed.Add(1)
			return err, ctx.Err() == nil
		}
		time.Sleep(5 * time.Millisecond) // a client that waits before it tries again
	}
	return nil, false
}

func (l *load) signIn(ctx context.Context, r *recorded) bool {
	in := tokenstore.SignIn{Identity: identity(l), NewSubject: r.id.String(), Session: newSession(l, r.id)}
	var session tokenstore.Session
	err, done := l.try(ctx, "signing in", func() error {
		var err error
		session, err = l.store.SignIn(ctx, in)
		return err
	})
	switch {
	case !done:
		return false
	case errors.Is(err, tokenstore.ErrExists): // the answer to an earlier try was lost
		if session, err = l.store.Session(ctx, r.id); err != nil {
			return false
		}
	case err != nil:
		l.Errorf("signing in: %v", err)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session, r.created = session, true
	return true
}

func (l *load) rotate(ctx context.Context, r *recorded, times int) {
	for range times {
		r.mu.Lock()
		presented := rotation(r.session, r.generation)
		r.mu.Unlock()
		presented.Grace = time.Hour
		var result tokenstore.RotationResult
		err, done := l.try(ctx, "rotating", func() error {
			var err error
			result, err = l.store.Rotate(ctx, presented)
			return err
		})
		if !done {
			return
		}
		r.mu.Lock()
		switch {
		case errors.Is(err, tokenstore.ErrReused):
			// The other caller is two ahead, and will know.
			r.revoked, r.reused = true, append(r.reused, presented.Generation)
		case errors.Is(err, tokenstore.ErrRevoked):
			r.revoked = true
		case err != nil:
			l.Errorf("rotating generation %d of %v: %v", presented.Generation, r.id, err)
		case result.Session.Generation != presented.Generation+1:
			l.Errorf("the successor of generation %d is %d", presented.Generation, result.Session.Generation)
		default:
			r.generation = max(r.generation, result.Session.Generation)
			if !result.Retry {
				r.rotations[presented.Generation]++
			}
		}
		over := r.revoked
		r.mu.Unlock()
		if over {
			return
		}
	}
}

func (l *load) revoke(ctx context.Context, r *recorded) {
	err, done := l.try(ctx, "revoking", func() error { _, err := l.store.RevokeSession(ctx, r.id); return err })
	if !done {
		return
	}
	if err != nil {
		l.Errorf("revoking: %v", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revoked = true
}

// check compares what is stored with what was confirmed.
func (l *load) check(store *postgres.Store) (rotations int) {
	for _, r := range l.sessions {
		session, err := store.Session(context.Background(), r.id)
		if errors.Is(err, tokenstore.ErrNotFound) && !r.created {
			continue
		}
		if err != nil {
			l.Errorf("session %v, confirmed: %v: %v", r.id, r.created, err)
			continue
		}
		if session.Generation < r.generation {
			l.Errorf("session %v is at generation %d, %d was confirmed", r.id, session.Generation, r.generation)
		}
		if r.revoked && session.RevokedAt.IsZero() {
			l.Errorf("session %v was confirmed to be revoked and is not", r.id)
		}
		for _, generation := range r.reused {
			if session.Generation < generation+2 {
				l.Errorf("generation %d of session %v was called reused at generation %d", generation, r.id, session.Generation)
			}
		}
		for generation, n := range r.rotations {
			rotations += n
			if n > 1 {
				l.Errorf("generation %d of session %v was rotated %d times", generation, r.id, n)
			}
		}
	}
	return rotations
}
