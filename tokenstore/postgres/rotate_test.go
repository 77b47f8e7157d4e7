package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

func TestRotateIsDoneOnceByManyCallers(t *testing.T) {
	store := migrated(t, postgres.Options{})
	session := signIn(t, store)
	const callers, rounds = 16, 20
	for round := range uint32(rounds) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		rotated := 0
		for range callers {
			wg.Go(func() {
				result, err := store.Rotate(context.Background(), rotation(session, round))
				if err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
				if result.Session.Generation != round+1 {
					t.Errorf("round %d: successor %d", round, result.Session.Generation)
				}
				mu.Lock()
				defer mu.Unlock()
				if !result.Retry {
					rotated++
				}
			})
		}
		wg.Wait()
		if rotated != 1 {
			t.Fatalf("round %d: rotated %d times", round, rotated)
		}
	}
}

func TestRotateJudgesAfterTheGraceAndAhead(t *testing.T) {
	var clock offset
	store := migrated(t, postgres.Options{ClockOffset: clock.get})
	session := signIn(t, store)
	rotate := func(generation uint32) (tokenstore.RotationResult, error) {
		return store.Rotate(t.Context(), rotation(session, generation))
	}
	if result, err := rotate(7); err != nil || result.Session.Generation != 8 || result.Retry {
		t.Fatalf("a generation ahead: %d, %v, %v", result.Session.Generation, result.Retry, err)
	}
	if result, err := rotate(7); err != nil || !result.Retry {
		t.Fatalf("inside the grace: %v, %v", result.Retry, err)
	}
	clock.advance(31 * time.Second)
	result, err := rotate(7)
	if !errors.Is(err, tokenstore.ErrReused) || len(result.Reused) != 1 || result.Reused[0] != session.ID {
		t.Fatalf("after the grace: %v, %v", result.Reused, err)
	}
	if _, err := rotate(8); !errors.Is(err, tokenstore.ErrRevoked) {
		t.Fatalf("after reuse: %v", err)
	}
}

// TestUnrotateSurvivesALostConnection: a rotation that was refused is put back
// although the connection is lost, before the database was asked or after. If it
// were not, its holder would be taken for a thief when the grace is over.
func TestUnrotateSurvivesALostConnection(t *testing.T) {
	wire, url := listen(t, postgrestest.URL(t))
	var clock offset
	store := migrated(t, postgres.Options{URL: url + "&pool_max_conns=1", ClockOffset: clock.get})
	session := signIn(t, store)
	for _, tt := range []struct {
		name string
		lose *atomic.Bool
	}{
		{"nothing is lost", new(atomic.Bool)}, // and the statements are prepared
		{"the question is lost", &wire.question},
		{"the answer is lost", &wire.answer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result, err := store.Rotate(t.Context(), rotation(session, 0))
			if err != nil || result.Retry {
				t.Fatalf("rotating: %v, %v", result.Retry, err)
			}
			tt.lose.Store(true)
			err = store.UnrotateSession(t.Context(), session.ID, result.Session.Generation, result.PreviousRotatedAt)
			if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
				t.Errorf("putting back: %v", err)
			}
			now, err := store.Session(t.Context(), session.ID)
			if err != nil || now.Generation != 0 || !now.RotatedAt.Equal(session.RotatedAt) {
				t.Errorf("generation %d, rotated at %v, %v", now.Generation, now.RotatedAt, err)
			}
			clock.advance(time.Minute)
		})
	}
}

// leaving is a caller who leaves when the first row has been looked at.
type leaving struct {
	leave atomic.Pointer[context.CancelFunc]
}

func (*leaving) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, leavingKey{}, strings.HasPrefix(strings.TrimSpace(q.SQL), "SELECT"))
}

func (l *leaving) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if looked, _ := ctx.Value(leavingKey{}).(bool); !looked {
		return
	}
	if leave := l.leave.Swap(nil); leave != nil {
		(*leave)()
	}
}

type leavingKey struct{}

// TestReuseIsActedOnWhenItsCallerLeaves: a thief need not wait for the answer.
func TestReuseIsActedOnWhenItsCallerLeaves(t *testing.T) {
	var caller leaving
	var clock offset
	store := migrated(t, postgres.Options{ClockOffset: clock.get, Tracer: &caller})
	session := signIn(t, store)
	if _, err := store.Rotate(t.Context(), rotation(session, 0)); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	caller.leave.Store(&cancel)
	if _, err := store.Rotate(ctx, rotation(session, 0)); !errors.Is(err, tokenstore.ErrReused) {
		t.Errorf("rotating: %v", err)
	}
	if ctx.Err() == nil {
		t.Error("the caller has not left")
	}
	if now, err := store.Session(t.Context(), session.ID); err != nil || now.RevokedAt.IsZero() {
		t.Errorf("the family goes on: %v", err)
	}
}
