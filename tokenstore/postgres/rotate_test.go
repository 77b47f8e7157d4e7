package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
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
