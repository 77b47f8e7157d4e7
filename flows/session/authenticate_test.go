package session

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	a := w.node()
	s := a.signIn()
	if diff := cmp.Diff(alice(), s.Identity.Claims); diff != "" {
		t.Errorf("claims after sign-in (-want +got):\n%s", diff)
	}
	before := a.store.total()
	a.is(s, nil, "where it was started")
	if n := a.store.total() - before; n != 0 {
		t.Errorf("a warm request asks the store %d times", n)
	}

	b := w.node()
	b.is(s, nil, "first sight at another node")
	if n := b.store.total(); n != 1 {
		t.Errorf("first sight takes %d round trips", n)
	}
	who, err := b.Authenticate(t.Context(), host, s.Handle)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(alice(), who.Claims); diff != "" {
		t.Errorf("claims at another node (-want +got):\n%s", diff)
	}
	if n := b.store.total(); n != 1 {
		t.Errorf("a warm request asks the store")
	}
	if live, err := b.Live(t.Context(), s.Session.ID); err != nil || live != who {
		t.Errorf("by id: %v, %v", live, err)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	h, err := handle.ParseSession(w.keys, s.Handle)
	if err != nil {
		t.Fatal(err)
	}
	guessed, stranger := h, h
	guessed.Secret[0]++
	stranger.ID = handle.NewID(w.clock.now(), nil)
	otherKeys, err := keyring.New(nil, []byte("another secret for the tests"))
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name   string
		client string
		handle string
		want   error
		asks   int // at a node that has seen nothing
	}{
		{"empty", host, "", ErrNoSession, 0},
		{"garbage", host, "gts_garbage", ErrNoSession, 0},
		{"well-formed garbage", host, "gts_" + strings.Repeat("A", 72), ErrNoSession, 0},
		{"long garbage", host, strings.Repeat("gts_", 5000), ErrNoSession, 0},
		{"changed at the end", host, s.Handle[:75] + flip(s.Handle[75:]), ErrNoSession, 0},
		{"minted with another key", host, handle.MintSession(otherKeys, h), ErrNoSession, 0},
		{"a refresh token", host, handle.MintRefresh(w.keys, "", h), ErrNoSession, 0},
		{"known id, guessed secret, leaked key", host, handle.MintSession(w.keys, guessed), ErrNoSession, 1},
		{"unknown id, leaked key", host, handle.MintSession(w.keys, stranger), ErrNoSession, 1},
		{"another client's", "other.example.com", s.Handle, ErrNoSession, 1},
		{"no client", "", s.Handle, ErrNoSession, 1},
		{"its own", host, s.Handle, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cold := w.node()
			for _, m := range []*node{cold, n} {
				_, err := m.Authenticate(t.Context(), tt.client, tt.handle)
				if !errors.Is(err, tt.want) || (tt.want == nil && err != nil) {
					t.Errorf("%v, want %v", err, tt.want)
				}
			}
			if got := cold.store.total(); got != tt.asks {
				t.Errorf("the store was asked %d times, want %d", got, tt.asks)
			}
		})
	}
}

func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

// One key ring may spell a handle otherwise than another that knows the same
// keys: both spellings are good.
func TestTwoSpellings(t *testing.T) {
	w := newWorld(t)
	former, next := []byte("the secret of last year"), []byte("the secret of this year")
	oldFirst, err1 := keyring.New(nil, former, next)
	newFirst, err2 := keyring.New(nil, next, former)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	a := w.node(func(c *Config) { c.Keyring = oldFirst })
	b := w.node(func(c *Config) { c.Keyring = newFirst })
	s := a.signIn()
	h, err := handle.ParseSession(oldFirst, s.Handle)
	if err != nil {
		t.Fatal(err)
	}
	other := s
	other.Handle = handle.MintSession(newFirst, h)
	for range 3 {
		b.is(s, nil, "sealed and spelt by the other node")
		b.is(other, nil, "spelt here")
	}
	if n := b.store.total(); n != 1 {
		t.Errorf("two spellings take %d round trips", n)
	}
	only, err := keyring.New(nil, next)
	if err != nil {
		t.Fatal(err)
	}
	c := w.node(func(c *Config) { c.Keyring = only })
	c.is(s, ErrNoSession, "after the former secret was removed")
	c.is(other, ErrNoSession, "claims sealed by the removed secret")
}

// Claims open only in the row that they were sealed for.
func TestClaimsAreBoundToTheirRow(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	forged, err := w.store.CreateSession(t.Context(), tokenstore.NewSession{
		ID: handle.NewID(w.clock.now(), nil), Subject: s.Session.Subject, ClientID: host,
		Claims: s.Session.Claims, SecretHash: s.Session.SecretHash, Idle: time.Hour, Lifetime: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Live(t.Context(), forged.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("claims moved to another row: %v", err)
	}
	if _, _, err := n.Lookup(t.Context(), forged.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("looking up claims moved to another row: %v", err)
	}
}

func TestLookup(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	row, claims, err := n.Lookup(t.Context(), s.Session.ID)
	if err != nil || row.Subject != s.Session.Subject {
		t.Fatalf("%+v, %v", row, err)
	}
	if diff := cmp.Diff(alice(), claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if _, _, err := n.Lookup(t.Context(), uuid.New()); !errors.Is(err, ErrNoSession) {
		t.Errorf("unknown: %v", err)
	}
	n.store.cut.Store(true)
	if _, _, err := n.Lookup(t.Context(), s.Session.ID); !errors.Is(err, ErrUnavailable) {
		t.Errorf("store down: %v", err)
	}
}

// However many requests see a session first, one asks the store; and one that
// gives up does not take the others with it.
func TestFirstSightIsOneFlight(t *testing.T) {
	w := newWorld(t)
	s := w.node().signIn()
	n := w.node()
	asked, answer := make(chan struct{}), make(chan struct{})
	n.store.hook(func(context.Context, string) error {
		close(asked)
		<-answer
		return nil
	}, nil)

	impatient, giveUp := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := n.Authenticate(impatient, host, s.Handle)
		gaveUp <- err
	}()
	<-asked
	var others sync.WaitGroup
	for range 50 {
		others.Go(func() {
			if _, err := n.Authenticate(t.Context(), host, s.Handle); err != nil {
				t.Errorf("another request: %v", err)
			}
		})
	}
	giveUp()
	if err := <-gaveUp; !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one that gave up: %v", err)
	}
	close(answer)
	others.Wait()
	if got := n.store.total(); got != 1 {
		t.Errorf("first sight took %d round trips", got)
	}
	if n.outage.on() {
		t.Error("a caller that gave up passes for an outage")
	}
}

// An unknown handle is not asked for again within a moment, but after it.
func TestUnknownIsRememberedForAMoment(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	ghost := Started{Handle: handle.MintSession(w.keys, handle.Handle{ID: handle.NewID(w.clock.now(), nil)})}
	ghost.Session.ClientID = host
	for range 10 {
		n.is(ghost, ErrNoSession, "unknown")
	}
	if got := n.store.total(); got != 1 {
		t.Errorf("ten requests asked %d times", got)
	}
	w.clock.advance(moment)
	n.is(ghost, ErrNoSession, "a moment later")
	if got := n.store.total(); got != 2 {
		t.Errorf("a moment later the store had been asked %d times", got)
	}
}

func TestFloodOfUnknownHandlesIsBounded(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	for range 2*maxMoments + 10 {
		n.finish(uuid.New(), unknown, n.Manager.clock())
	}
	if got := len(n.endings.moments); got > maxMoments {
		t.Errorf("%d unknown handles are remembered", got)
	}
	for range 20 {
		if _, err := n.Live(t.Context(), uuid.New()); !errors.Is(err, ErrNoSession) {
			t.Fatal(err)
		}
	}
	if got := n.table.len(); got != 0 {
		t.Errorf("%d entries of unknown sessions", got)
	}
}

func TestWarmRequestAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	ctx := t.Context()
	if got := testing.AllocsPerRun(200, func() {
		if _, err := n.Authenticate(ctx, host, s.Handle); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
