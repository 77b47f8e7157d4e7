package accesstoken

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// listingStore lists revoked tokens, when it is let.
type listingStore struct {
	tokenstore.Store
	revoked []tokenstore.RevokedTokenID
	asked   atomic.Int32
	let     chan struct{}
}

func (s *listingStore) RevokedTokenIDs(context.Context) ([]tokenstore.RevokedTokenID, error) {
	s.asked.Add(1)
	if s.let != nil {
		<-s.let
	}
	return s.revoked, nil
}

func TestDenials_AreKeptUntilTheTokenExpires(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	store := &listingStore{revoked: []tokenstore.RevokedTokenID{{ID: "short", Until: now.Add(time.Minute)}, {ID: "long", Until: now.Add(time.Hour)}}}
	g := &Verifier{Config: Config{Store: store, Now: func() time.Time { return now }}, tokens: newTokens()}
	g.tokens.deny(announced([]string{"short", "heard"}, now)...)
	known := func(want ...string) {
		t.Helper()
		if err := g.load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range want {
			if !g.tokens.isDenied(id) {
				t.Errorf("%s is not refused", id)
			}
		}
		if len(g.tokens.ids) != len(want) {
			t.Errorf("%d are known, want %d", len(g.tokens.ids), len(want))
		}
	}
	known("short", "long", "heard")
	store.revoked = store.revoked[1:] // the store's clock is ahead
	now = now.Add(time.Minute)
	known("short", "long", "heard")
	now = now.Add(time.Second)
	known("long", "heard")
	store.revoked = nil
	now = now.Add(24 * time.Hour)
	known()
}

// After a gap in the announcements all requests wait for one answer of the store,
// which was asked after the gap.
func TestDenials_AreAskedForOnce(t *testing.T) {
	store := &listingStore{let: make(chan struct{})}
	g := &Verifier{Config: Config{Store: store, Now: time.Now}, tokens: newTokens()}
	var requests sync.WaitGroup
	ask := func() {
		requests.Go(func() {
			if err := g.learn(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asked := func(want int32) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); store.asked.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the store was asked %d times, want %d", store.asked.Load(), want)
			}
		}
	}
	for range 50 {
		ask()
	}
	asked(1)
	g.tokens.gaps.Add(1)
	ask()
	asked(2)
	close(store.let)
	requests.Wait()
	ask()
	requests.Wait()
	asked(2)
}

// What many programs revoke is learnt in no more than a moment: nothing looks
// through all for each.
func TestDenials_OfManyAreLearntAtOnce(t *testing.T) {
	now := time.Now()
	store := &listingStore{}
	for i := range 100_000 {
		store.revoked = append(store.revoked, tokenstore.RevokedTokenID{ID: fmt.Sprint("token", i), Until: now.Add(time.Hour)})
	}
	g := &Verifier{Config: Config{Store: store, Now: func() time.Time { return now }}, tokens: newTokens()}
	begun := time.Now()
	for range 2 {
		if err := g.load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 30*time.Second || len(g.tokens.ids) != len(store.revoked) {
		t.Errorf("%d are known after %v", len(g.tokens.ids), took)
	}
}
