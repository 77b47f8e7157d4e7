package session

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// modelled is a session and what is true of it, whatever a node may know.
type modelled struct {
	Started
	signedOut bool          // somebody was told so, or told that it is not stored
	notLive   time.Duration // since when the store would refuse it; -1: it would not
}

// Whatever happens in whatever order: no node signs a live session out, and
// none serves one that has ended for longer than it may.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		defer func() { _ = w.store.Close(); _ = w.cache.Close() }()
		ctx := t.Context()
		nodes := []*node{w.node(), w.node(func(c *Config) { c.MaxEntries = 2 })}
		begin := w.clock.now()
		var sessions []*modelled

		// truth notes when sessions stopped being live, by the store itself.
		truth := func() {
			for _, s := range sessions {
				row, err := w.store.Session(ctx, s.Session.ID)
				if err != nil {
					r.Fatal(err)
				}
				switch at := w.clock.now().Sub(begin); {
				case row.Err() == nil:
					s.notLive = -1
				case s.notLive < 0:
					s.notLive = at
				}
			}
		}
		pick := func() *modelled {
			if len(sessions) == 0 {
				r.Skip("no session yet")
			}
			return sessions[rapid.IntRange(0, len(sessions)-1).Draw(r, "session")]
		}
		anyNode := func() *node { return nodes[rapid.IntRange(0, len(nodes)-1).Draw(r, "node")] }

		r.Repeat(map[string]func(*rapid.T){
			"sign in": func(r *rapid.T) {
				started, err := anyNode().SignIn(ctx, Start{
					ClientID: host, Claims: alice(),
					Idle: 5 * time.Minute, Lifetime: 20 * time.Minute,
				})
				switch {
				case err == nil:
					sessions = append(sessions, &modelled{Started: started, notLive: -1})
				case !errors.Is(err, ErrUnavailable) && !errors.Is(err, tokenstore.ErrSuspended):
					r.Fatal(err)
				}
			},
			"hand over": func(r *rapid.T) {
				portal := pick()
				if portal.Session.Parent != (sessionID{}) {
					r.Skip("no portal sign-in") // none but these have children
				}
				start := Start{Claims: alice(), Idle: 5 * time.Minute, Lifetime: 20 * time.Minute}
				childOf(portal.Started, host)(&start)
				started, err := anyNode().Handover(ctx, start)
				switch {
				case err == nil:
					sessions = append(sessions, &modelled{Started: started, notLive: -1})
				case !errors.Is(err, ErrUnavailable) && !errors.Is(err, tokenstore.ErrSuspended) &&
					!errors.Is(err, tokenstore.ErrRevoked) && !errors.Is(err, ErrNoSession):
					r.Fatal(err)
				}
			},
			"authenticate": func(r *rapid.T) {
				n, s := anyNode(), pick()
				truth()
				limit := time.Minute
				if n.store.cut.Load() || n.outage.on() { // which a probe may end meanwhile
					limit = 10 * time.Minute
				}
				_, err := n.Authenticate(ctx, host, s.Handle)
				at := w.clock.now().Sub(begin)
				switch {
				case err == nil && s.notLive >= 0 && at-s.notLive >= limit:
					r.Fatalf("served %s after it ended", at-s.notLive)
				case errors.Is(err, ErrNoSession) && s.notLive < 0 && !s.signedOut:
					r.Fatalf("a live session was signed out: %v", err)
				case errors.Is(err, ErrUnavailable) && !n.store.cut.Load():
					r.Fatalf("unavailable though the store answers: %v", err)
				}
			},
			"end": func(r *rapid.T) {
				n, s := anyNode(), pick()
				err := n.End(ctx, s.Session.ID)
				root := s.Session.ID
				if s.Session.Parent != root && s.Session.Parent != (sessionID{}) {
					root = s.Session.Parent
				}
				for _, other := range sessions {
					if other.Session.ID == root || other.Session.Parent == root || other == s {
						other.signedOut = true
					}
				}
				truth()
				switch {
				case err == nil && s.notLive < 0:
					r.Fatal("ended without an error, and live")
				case err != nil && (!errors.Is(err, ErrUnavailable) || !n.store.cut.Load()):
					r.Fatal(err)
				}
				if _, err := n.Authenticate(ctx, host, s.Handle); !errors.Is(err, ErrNoSession) {
					r.Fatalf("after it was ended here: %v", err)
				}
			},
			"suspend": func(r *rapid.T) {
				if err := w.store.Suspend(ctx, pick().Session.Subject, true); err != nil {
					r.Fatal(err)
				}
				truth()
			},
			"lift the suspension": func(r *rapid.T) {
				if err := w.store.Suspend(ctx, pick().Session.Subject, false); err != nil {
					r.Fatal(err)
				}
				w.clock.advance(moment)
				truth()
			},
			"token store": func(r *rapid.T) { n := anyNode(); n.store.cut.Store(!n.store.cut.Load()) },
			"cache":       func(r *rapid.T) { n := anyNode(); n.cache.cut.Store(!n.cache.cut.Load()) },
			"gap":         func(r *rapid.T) { anyNode().gap() },
			"reload":      func(r *rapid.T) { anyNode().Configure(Settings{}) },
			"tick":        func(r *rapid.T) { anyNode().tick(ctx) },
			"pay":         func(r *rapid.T) { anyNode().pay(ctx); truth() },
			"time": func(r *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(r, "steps of 5 s") {
					w.clock.advance(5 * time.Second)
					truth()
				}
			},
		})
	})
}
