package token_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const otherSecret = "another secret of some length"

func refresh(t *testing.T, nodes ...*token.Keys) {
	t.Helper()
	for _, k := range nodes {
		if err := k.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func signed(t *testing.T, k *token.Keys, c *clock) string {
	t.Helper()
	raw, err := k.Sign(token.TypeAccess, token.ES256, claims(c))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// states are how many keys there are in each state.
func states(t *testing.T, s tokenstore.SigningKeys) map[tokenstore.KeyState]int {
	t.Helper()
	rows, _, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := map[tokenstore.KeyState]int{}
	for _, row := range rows {
		n[row.State]++
	}
	return n
}

// A node with a wrong secret must not take the keys of those that have the right
// one away from them, however long it runs.
func TestSealed_AStrangerMovesNoKeys(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	mine, stranger := node(t, store, c), node(t, store, c, otherSecret)
	refresh(t, mine)
	// The rotation is due, and the stranger is the first to see it.
	for _, step := range []time.Duration{30 * 24 * time.Hour, 2 * time.Hour, 60 * 24 * time.Hour} {
		c.advance(step)
		refresh(t, stranger)
		if got := states(t, store); got[tokenstore.KeyActive] != 2 || got[tokenstore.KeyPending] != 0 {
			t.Fatalf("%s later: %v", step, got)
		}
	}
	refresh(t, mine)
	c.advance(time.Hour)
	refresh(t, stranger, mine, stranger)
	raw := signed(t, mine, c)
	if err := stranger.Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
		t.Error(err)
	}

	// Nor has it a key of its own for an algorithm that is new.
	more := node(t, store, c, otherSecret)
	more.Algorithms = append(more.Algorithms, token.RS256)
	refresh(t, more)
	if got := states(t, store); got[tokenstore.KeyActive] != 2 {
		t.Errorf("a stranger made a key: %v", got)
	}
}

// A key that waits to be promoted is promoted by who can sign with it.
func TestSealed_NobodyPromotesWhatItCannotOpen(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	old := node(t, store, c)
	changed := node(t, store, c, otherSecret, "a secret of sufficient length")
	refresh(t, old)
	c.advance(30 * 24 * time.Hour)
	refresh(t, changed)
	c.advance(time.Hour)
	refresh(t, old)
	signed(t, old, c)
	if err := old.RotateNow(t.Context()); !errors.Is(err, token.ErrSealed) {
		t.Errorf("rotating on command while a key waits that cannot be opened: %v", err)
	}
	refresh(t, changed, changed)
	signed(t, changed, c)
	if got := states(t, store); got[tokenstore.KeyRetired] != 2 {
		t.Errorf("%v", got)
	}
}

// What is to be done is said once, where it is looked for.
func TestSealed_SaysWhatToDo(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	refresh(t, node(t, store, c))
	var log strings.Builder
	stranger := node(t, store, c, otherSecret)
	stranger.Logger = slog.New(slog.NewTextHandler(&log, nil))
	if err := stranger.Ready(token.ES256); !errors.Is(err, token.ErrNoKey) || errors.Is(err, token.ErrSealed) {
		t.Errorf("before the first load: %v", err)
	}
	refresh(t, stranger, stranger, stranger)
	if err := stranger.Ready(token.ES256, token.EdDSA); !errors.Is(err, token.ErrNoKey) || !errors.Is(err, token.ErrSealed) {
		t.Errorf("readiness: %v", err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 || !strings.Contains(log.String(), "--lost-secret") {
		t.Errorf("%d errors for two keys:\n%s", n, log.String())
	}
	if err := stranger.RotateNow(t.Context()); !errors.Is(err, token.ErrSealed) {
		t.Errorf("rotating on command: %v", err)
	}
	if got := states(t, store); got[tokenstore.KeyActive] != 2 || len(got) != 1 {
		t.Errorf("a refused rotation changed the keys: %v", got)
	}
}

// When the secret is lost, and somebody says so, new keys sign at once; what the
// old ones signed is good for as long as it may live.
func TestSealed_Replaced(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	lost := node(t, store, c)
	refresh(t, lost)
	// One of the old keys waits to be promoted.
	c.advance(30*24*time.Hour - time.Minute)
	refresh(t, lost)
	old := signed(t, lost, c)

	now := node(t, store, c, otherSecret)
	refresh(t, now)
	if err := now.ReplaceSealed(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw := signed(t, now, c)
	if err := now.Ready(token.ES256, token.EdDSA); err != nil {
		t.Error(err)
	}
	for _, raw := range []string{old, raw} {
		if err := now.Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
			t.Error(err)
		}
		if !kids(now)[kidOf(t, raw)] {
			t.Error("the key is not published")
		}
	}
	if got := states(t, store); got[tokenstore.KeyActive] != 2 || got[tokenstore.KeyPending] != 0 || got[tokenstore.KeyRetired] != 4 {
		t.Errorf("%v", got)
	}
	// Once more replaces nothing.
	if err := now.ReplaceSealed(t.Context()); err != nil || kidOf(t, signed(t, now, c)) != kidOf(t, raw) {
		t.Errorf("again: %v", err)
	}
	c.advance(26 * time.Hour)
	refresh(t, now)
	if kids(now)[kidOf(t, old)] || len(kids(now)) != 2 {
		t.Errorf("a day later: %v", kids(now))
	}
}

// Several nodes that replace lost keys at once end with the same ones.
func TestSealed_ReplacedByManyNodes(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	refresh(t, node(t, store, c))
	nodes := make([]*token.Keys, 6)
	var all sync.WaitGroup
	for i := range nodes {
		nodes[i] = node(t, store, c, otherSecret)
		all.Go(func() {
			if err := nodes[i].ReplaceSealed(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	refresh(t, nodes...)
	kid := kidOf(t, signed(t, nodes[0], c))
	for _, n := range nodes {
		if kidOf(t, signed(t, n, c)) != kid {
			t.Error("two nodes sign with two keys")
		}
	}
}
