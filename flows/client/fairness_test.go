package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// slowHash is a comparison that a test lets go on, one by one.
type slowHash struct {
	began chan string
	goOn  chan struct{}
	busy  atomic.Int32
}

func (h *slowHash) compare(_, presented []byte) (bool, error) {
	if h.busy.Add(1) > 1 {
		return false, errors.New("two checks at once")
	}
	defer h.busy.Add(-1)
	h.began <- string(presented)
	<-h.goOn
	return string(presented) == "right", nil
}

// next lets the check that runs go on, and returns the one after it.
func (h *slowHash) next() string {
	h.goOn <- struct{}{}
	return <-h.began
}

// attempt is a secret that is presented from an address.
type attempt struct {
	ok   bool
	err  error
	done bool
}

func present(ctx context.Context, c *client.Client, secret, from string) *attempt {
	a := new(attempt)
	go func() {
		a.ok, a.err = c.MatchesSecret(ctx, secret, from)
		a.done = true
	}()
	synctest.Wait()
	return a
}

func hashedClient() (*client.Client, *slowHash) {
	h := &slowHash{began: make(chan string), goOn: make(chan struct{})}
	return &client.Client{Secrets: []client.Secret{client.NewHashedSecret("$hash", h.compare)}}, h
}

// Whoever comes first with the right secret, after a start or a reload, waits for
// the one guess that is being checked, however many wait from another address.
func TestMatchesSecret_FirstUseWaitsForOneGuessOfAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := hashedClient()
		flood, stop := context.WithCancel(t.Context())
		defer stop()
		var guesses []*attempt
		present(flood, c, "guess", "flood")
		<-h.began
		for i := range 100 {
			guesses = append(guesses, present(flood, c, fmt.Sprint("guess ", i), "flood"))
		}
		refused := 0
		for _, g := range guesses {
			if g.done {
				refused++
			}
			if g.done && !errors.Is(g.err, client.ErrBusy) {
				t.Fatalf("a guess that finds no room: %v", g.err)
			}
		}
		if refused < 50 || refused > 95 {
			t.Errorf("%d of 100 guesses that wait are refused", refused)
		}
		right := present(t.Context(), c, "right", "home")
		again := present(t.Context(), c, "right", "home") // one check is enough for both
		inside := present(t.Context(), c, "right", "flood")
		if next := h.next(); next != "right" {
			t.Errorf("the guess that was being checked is followed by %q", next)
		}
		// The flood's address has its turn too.
		if next := h.next(); next != "guess 0" {
			t.Errorf("the right one is followed by %q", next)
		}
		synctest.Wait()
		for _, a := range []*attempt{right, again, inside} {
			if !a.ok || a.err != nil {
				t.Errorf("the right secret: %+v", a)
			}
		}
		// Who has gone costs nothing.
		stop()
		synctest.Wait()
		h.goOn <- struct{}{}
		synctest.Wait()
		for i, g := range guesses {
			if !g.done || g.ok {
				t.Errorf("guess %d: %+v", i, g)
			}
		}
		last := present(t.Context(), c, "other", "home")
		if next := <-h.began; next != "other" {
			t.Errorf("%q is checked", next)
		}
		h.goOn <- struct{}{}
		synctest.Wait()
		if last.ok || last.err != nil {
			t.Errorf("another secret: %+v", last)
		}
	})
}

// Addresses take turns.
func TestMatchesSecret_AddressesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := hashedClient()
		for _, from := range []string{"a", "b"} {
			for i := range 3 {
				present(t.Context(), c, fmt.Sprint(from, i), from)
			}
		}
		got := <-h.began
		for range 5 {
			got += " " + h.next()
		}
		h.goOn <- struct{}{}
		if want := "a0 b0 a1 b1 a2 b2"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
	})
}

// Whoever goes away while it is its turn passes it on.
func TestMatchesSecret_NoTurnIsLost(t *testing.T) {
	h := func(_, presented []byte) (bool, error) { return string(presented) == "right", nil }
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			c := &client.Client{Secrets: []client.Secret{client.NewHashedSecret("$hash", h)}}
			for i := range 8 {
				ctx, leave := context.WithCancel(t.Context())
				go func() { _, _ = c.MatchesSecret(ctx, fmt.Sprint(i/2), fmt.Sprint(i%3)) }()
				go leave()
			}
			if ok, err := c.MatchesSecret(t.Context(), "right", "home"); !ok || err != nil {
				t.Fatalf("%t %v", ok, err)
			}
		})
	}
}
