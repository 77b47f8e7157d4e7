package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// What was not announced is found by revalidation, within the interval.
func TestRevalidationFinds(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, w *world, s Started)
		want error
	}{
		{"nothing", func(*testing.T, *world, Started) {}, nil},
		{"a revocation", func(t *testing.T, w *world, s Started) {
			if _, err := w.store.RevokeSession(t.Context(), s.Session.ID); err != nil {
				t.Fatal(err)
			}
		}, ErrNoSession},
		{"a suspension", func(t *testing.T, w *world, s Started) {
			if err := w.store.Suspend(t.Context(), s.Session.Subject, true); err != nil {
				t.Fatal(err)
			}
		}, tokenstore.ErrSuspended},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			byRequest, byTick := w.node(), w.node()
			s := byRequest.signIn()
			byTick.is(s, nil, "first sight")
			tt.do(t, w, s)

			w.clock.advance(31 * time.Second)
			byTick.tick(t.Context())
			before := byTick.store.total()
			byTick.is(s, tt.want, "after a tick in good time")
			if got := byTick.store.total() - before; got != 0 {
				t.Errorf("a request after the tick asked %d times", got)
			}

			w.clock.advance(28 * time.Second)
			byRequest.is(s, nil, "within the interval")
			w.clock.advance(2 * time.Second)
			before = byRequest.store.total()
			byRequest.is(s, tt.want, "after the interval, without a tick")
			if got := byRequest.store.total() - before; got != 1 {
				t.Errorf("a request that meets an overdue entry asked %d times", got)
			}
		})
	}
}

// A suspension that is lifted lets the session live on.
func TestSuspensionIsLifted(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	for _, suspended := range []bool{true, false} {
		if err := w.store.Suspend(t.Context(), s.Session.Subject, suspended); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Minute)
		want := ErrNoSession
		if !suspended {
			want = nil
		}
		n.is(s, want, "after the interval")
	}
}

// An answer that was on its way when the suspension was lifted says nothing of
// the time after it: neither to those who come then, nor of what they brought
// into the table.
func TestSuspensionIsLiftedWhileTheAnswerTravels(t *testing.T) {
	for _, known := range []bool{false, true} {
		t.Run(fmt.Sprintf("looked up meanwhile: %t", known), func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			s := n.signIn()
			if err := w.store.Suspend(t.Context(), s.Session.Subject, true); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(time.Minute)
			asked, travel := make(chan struct{}), make(chan struct{})
			n.store.hook(nil, func(method string) {
				if method == "Revalidate" {
					close(asked)
					<-travel
				}
			})
			swept := make(chan struct{})
			go func() { n.tick(t.Context()); close(swept) }()
			<-asked
			n.store.hook(nil, nil)
			if err := w.store.Suspend(t.Context(), s.Session.Subject, false); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(moment)
			stopped := false
			if known {
				n.is(s, nil, "while the old answer travels")
				defer n.Watch(s.Session.ID, false, func() { stopped = true })()
			}
			close(travel)
			<-swept
			n.is(s, nil, "after the old answer")
			if stopped {
				t.Error("a stream of the time after was stopped")
			}
		})
	}
}

// One tick is one query, however many are due, and none when nothing is.
func TestTickIsOneQuery(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	for range 40 {
		n.signIn()
	}
	n.tick(t.Context())
	if got := n.store.count("Revalidate"); got != 0 {
		t.Errorf("a tick with nothing due asked %d times", got)
	}
	w.clock.advance(30 * time.Second)
	n.tick(t.Context())
	n.tick(t.Context())
	if got := n.store.count("Revalidate"); got != 1 {
		t.Errorf("40 due entries took %d queries", got)
	}
	if got := n.store.count("Session"); got != 0 {
		t.Errorf("and %d single ones", got)
	}
}

// Requests that meet overdue entries share queries, and one entry is asked for
// once however many wait for it.
func TestOverdueRequestsShareQueries(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	var sessions []Started
	for range 8 {
		sessions = append(sessions, n.signIn())
	}
	w.clock.advance(time.Minute)
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	n.store.hook(func(context.Context, string) error {
		once.Do(func() { close(asked) })
		<-answer
		return nil
	}, nil)
	var requests sync.WaitGroup
	ask := func(s Started) {
		requests.Go(func() {
			if _, err := n.Authenticate(t.Context(), host, s.Handle); err != nil {
				t.Error(err)
			}
		})
	}
	ask(sessions[0])
	<-asked
	for range 20 {
		for _, s := range sessions {
			ask(s)
		}
	}
	eventually(t, "the others wait", func() bool {
		n.checks.mu.Lock()
		defer n.checks.mu.Unlock()
		return n.checks.next != nil && len(n.checks.next.entries) == len(sessions)-1
	})
	close(answer)
	requests.Wait()
	if got := n.store.count("Revalidate"); got != 2 {
		t.Errorf("%d queries for 161 requests of 8 overdue sessions, want 2", got)
	}
}

// Somebody who uses a session all the time is not idle, though the row is
// written seldom.
func TestUseIsRecordedSeldom(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn(func(s *Start) { s.Idle = 10 * time.Hour })
	for at := time.Duration(0); at < 24*time.Hour; at += 50 * time.Second {
		w.clock.advance(50 * time.Second)
		n.is(s, nil, "in use")
		n.tick(t.Context())
	}
	if got := n.store.count("touch"); got < 23 || got > 25 {
		t.Errorf("the row was written %d times in a day of use", got)
	}
}

func TestIdleExpiry(t *testing.T) {
	w := newWorld(t)
	idle := func(s *Start) { s.Idle = 5 * time.Minute }
	n, other := w.node(), w.node()
	alone, shared := n.signIn(idle), n.signIn(idle)
	other.is(shared, nil, "first sight at another node")
	for range 6 {
		w.clock.advance(time.Minute)
		other.is(shared, nil, "in use at another node")
		w.clock.advance(time.Second)
		other.tick(t.Context())
	}
	before := n.store.total()
	n.is(shared, nil, "in use at another node, idle at this one")
	if n.store.total() == before {
		t.Error("the store was not asked before an idle session was judged")
	}
	n.is(alone, ErrNoSession, "idle for long enough")
	before = n.store.total()
	n.is(alone, ErrNoSession, "again")
	if n.store.total() != before {
		t.Error("an expired session is asked for again")
	}
}

func TestAbsoluteEnd(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn(func(s *Start) { s.Lifetime = 40 * time.Second })
	if want := w.clock.now().Add(40 * time.Second); s.ExpiresAt.Sub(want).Abs() > time.Second {
		t.Errorf("ends at %s, want %s", s.ExpiresAt, want)
	}
	n.store.cut.Store(true)
	w.clock.advance(39 * time.Second)
	n.is(s, nil, "before its end")
	w.clock.advance(time.Second)
	n.is(s, ErrNoSession, "at its end, whether or not a store answers")
	if got := n.store.count("Session") + n.store.count("Revalidate"); got != 0 {
		t.Errorf("the store was asked %d times", got)
	}
}

// The node's clock may be off: only the store's judges.
func TestClockSkew(t *testing.T) {
	w := newWorld(t)
	s := w.node().signIn(func(s *Start) { s.Lifetime = time.Hour })
	for _, skew := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		n := w.node(func(c *Config) { c.Now = func() time.Time { return w.clock.now().Add(skew) } })
		n.is(s, nil, "with a skewed clock")
	}
	w.clock.advance(time.Hour)
	for _, skew := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		n := w.node(func(c *Config) { c.Now = func() time.Time { return w.clock.now().Add(skew) } })
		n.is(s, ErrNoSession, "ended, with a skewed clock")
	}
}

// Settings.Current judges at the load, at each revalidation and at once after a
// reload, without the store if need be.
func TestCurrent(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	groups, gone := []string{"staff"}, false
	current := func(c identity.Claims) (identity.Claims, error) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(c.Groups, alice().Groups) {
			t.Errorf("asked with groups %v, not those of the sign-in", c.Groups)
		}
		if gone {
			return c, provider.ErrGone
		}
		c.Groups = slices.Clone(groups)
		return c, nil
	}
	n := w.node(func(c *Config) { c.Current = current })
	s := n.signIn()
	has := func(when, group string, want bool) {
		t.Helper()
		who, err := n.Authenticate(t.Context(), host, s.Handle)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if who.InGroup(group) != want {
			t.Errorf("%s: groups %v", when, who.Groups)
		}
	}
	has("at the sign-in", "wheel", false)
	first, _ := n.Authenticate(t.Context(), host, s.Handle)

	mu.Lock()
	groups = []string{"staff", "wheel"}
	mu.Unlock()
	w.clock.advance(time.Minute)
	has("after the interval", "wheel", true)
	if first.InGroup("wheel") {
		t.Error("an identity that was handed out changed")
	}

	n.store.cut.Store(true)
	mu.Lock()
	groups = []string{"guests"}
	mu.Unlock()
	n.Configure(Settings{Current: current})
	has("after a reload, store down", "guests", true)
	has("after a reload, store down", "wheel", false)

	mu.Lock()
	gone = true
	mu.Unlock()
	n.Configure(Settings{Current: current})
	n.is(s, ErrNoSession, "gone, store down")
	if _, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()}); !errors.Is(err, provider.ErrGone) {
		t.Errorf("signing in somebody who is gone: %v", err)
	}

	// That is this node's word alone: another's configuration may be newer.
	n.store.cut.Store(false)
	n.pay(t.Context())
	if row, err := w.store.Session(t.Context(), s.Session.ID); err != nil || row.Err() != nil {
		t.Errorf("the row of somebody who is gone here: %v, %v", err, row.Err())
	}
	w.node().is(s, nil, "at another node")
	w.clock.advance(2 * time.Second)
	n.is(s, ErrNoSession, "gone, store up")
	mu.Lock()
	gone = false
	mu.Unlock()
	n.Configure(Settings{Current: current})
	w.clock.advance(2 * time.Second)
	n.is(s, nil, "back again")
}

// A reload forgets nobody, and asks about everybody at once.
func TestConfigure(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	n.Configure(Settings{Interval: time.Hour, Idle: time.Hour, Lifetime: 2 * time.Hour})
	before := n.store.total()
	n.is(s, nil, "after a reload")
	n.is(s, nil, "and again")
	if got := n.store.total() - before; got != 1 {
		t.Errorf("asked %d times after a reload", got)
	}
	w.clock.advance(59 * time.Minute)
	n.is(s, nil, "within the new interval")
	if got := n.store.total() - before; got != 1 {
		t.Error("the new interval is not in force")
	}
	later := n.signIn()
	if later.Session.Idle != time.Hour || later.ExpiresAt.Sub(w.clock.now()).Round(time.Minute) != 2*time.Hour {
		t.Errorf("a new session lives for %s, idle %s", later.ExpiresAt.Sub(w.clock.now()), later.Session.Idle)
	}
}

// A user whom nothing can be said about is served what is known.
func TestCurrentFails(t *testing.T) {
	w := newWorld(t)
	var broken error
	n := w.node(func(c *Config) {
		c.Current = func(c identity.Claims) (identity.Claims, error) { return c, broken }
	})
	s := n.signIn()
	broken = errors.New("broken")
	w.clock.advance(9 * time.Minute)
	n.is(s, nil, "within ServeStale")
	w.clock.advance(time.Minute)
	n.is(s, ErrUnavailable, "after ServeStale")
	broken = nil
	n.is(s, nil, "when it works again")
}

// A use shortly before the idle end is recorded in time, be it of a session
// that this node knows or not.
func TestUseAtTheLastMoment(t *testing.T) {
	w := newWorld(t)
	knows := w.node()
	for range 3 {
		idle := func(s *Start) { s.Idle = 5 * time.Minute }
		a, b := knows.signIn(idle), knows.signIn(idle)
		w.clock.advance(5*time.Minute - time.Second)
		knows.is(a, nil, "where it is known")
		w.node().is(b, nil, "at first sight")
		w.clock.advance(4 * time.Minute)
		knows.is(a, nil, "later, where it is known")
		w.node().is(b, nil, "later")
	}
	if got := knows.store.count("touch"); got != 6 {
		t.Errorf("%d rows were written", got)
	}
}

func TestNamesAreBounded(t *testing.T) {
	var n names
	for i := range maxNames + 10 {
		if s := fmt.Sprint("group", i); n.one(s) != s || n.one(strings.Repeat(s, 100)) != strings.Repeat(s, 100) {
			t.Fatal("a name changed")
		}
	}
	if len(n.known) != maxNames {
		t.Errorf("%d names are remembered", len(n.known))
	}
}

// What nobody uses is forgotten, and found again.
func TestUnusedIsForgotten(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	w.clock.advance(unusedFor)
	n.tick(t.Context())
	if n.table.len() != 0 {
		t.Error("an unused session is still in memory")
	}
	n.is(s, nil, "seen again")
}

// Beyond MaxEntries those used least make room; nobody is signed out, and the
// use of those that went is recorded.
func TestEviction(t *testing.T) {
	w := newWorld(t)
	n := w.node(func(c *Config) { c.MaxEntries = 10 })
	idle := func(s *Start) { s.Idle = 10 * time.Minute }
	hot := n.signIn(idle)
	var cold []Started
	for range 30 {
		w.clock.advance(3 * time.Second)
		cold = append(cold, n.signIn(idle))
		n.is(hot, nil, "in use")
	}
	if got := n.table.len(); got != 10 {
		t.Errorf("%d entries, want 10", got)
	}
	before := n.store.total()
	n.is(hot, nil, "the one in use")
	if n.store.total() != before {
		t.Error("the session in use was evicted")
	}
	for range 4 {
		for _, s := range cold {
			n.is(s, nil, "one that made room, and is in use now and then")
		}
		n.tick(t.Context())
		w.clock.advance(30 * time.Second)
		n.tick(t.Context())
		w.clock.advance(8*time.Minute + 30*time.Second)
	}
}
