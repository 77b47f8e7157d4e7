package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A revocation is refused everywhere within moments, without asking a store.
func TestAnnouncement(t *testing.T) {
	w := newWorld(t)
	a, b := w.node(), w.node()
	a.run()
	b.run()
	s := a.signIn()
	b.is(s, nil, "first sight")
	before := b.store.total()
	if err := a.End(t.Context(), s.Session.ID); err != nil {
		t.Fatal(err)
	}
	a.is(s, ErrNoSession, "where it was ended")
	eventually(t, "the other node refuses it", func() bool {
		_, err := b.Authenticate(t.Context(), host, s.Handle)
		return errors.Is(err, ErrNoSession)
	})
	if got := b.store.total() - before; got != 0 {
		t.Errorf("the other node asked the store %d times", got)
	}
}

// A load that began before the announcement does not bring the session back,
// however late its answer comes.
func TestAnnouncementOvertakesLoad(t *testing.T) {
	tests := []struct {
		name   string
		method string
		does   func(w *world, s Started) error
		want   error
	}{
		{"session ended, first sight on its way", "Session", func(w *world, s Started) error {
			return w.node().End(context.Background(), s.Session.ID)
		}, ErrNoSession},
		{"session ended, revalidation on its way", "Revalidate", func(w *world, s Started) error {
			return w.node().End(context.Background(), s.Session.ID)
		}, ErrNoSession},
		{"subject suspended, first sight on its way", "Session", func(w *world, s Started) error {
			return errors.Join(w.store.Suspend(context.Background(), s.Session.Subject, true),
				w.cache.Announce(context.Background(), cache.Announcement{Subjects: []string{s.Session.Subject}}))
		}, tokenstore.ErrSuspended},
		{"subject suspended, revalidation on its way", "Revalidate", func(w *world, s Started) error {
			return errors.Join(w.store.Suspend(context.Background(), s.Session.Subject, true),
				w.cache.Announce(context.Background(), cache.Announcement{Subjects: []string{s.Session.Subject}}))
		}, tokenstore.ErrSuspended},
		{"announced only, nothing happened", "Session", func(w *world, s Started) error {
			return w.cache.Announce(context.Background(), cache.Announcement{Subjects: []string{s.Session.Subject}})
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			n.run()
			s := w.node().signIn()
			if tt.method == "Revalidate" {
				n.is(s, nil, "first sight")
				n.gap()
				n.tick(t.Context())
				n.epoch.Add(1)
			}
			var once sync.Once
			read, deliver := make(chan struct{}), make(chan struct{})
			n.store.hook(nil, func(method string) {
				if method == tt.method {
					once.Do(func() { close(read); <-deliver })
				}
			})
			answer := make(chan error, 1)
			go func() {
				_, err := n.Authenticate(t.Context(), host, s.Handle)
				answer <- err
			}()
			<-read
			n.mu.Lock()
			generation := n.endings.generation
			n.mu.Unlock()
			if err := tt.does(w, s); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the announcement arrives", func() bool {
				n.mu.Lock()
				defer n.mu.Unlock()
				return n.endings.generation > generation
			})
			close(deliver)
			if err := <-answer; !errors.Is(err, tt.want) || (tt.want == nil && err != nil) {
				t.Errorf("the overtaken request got %v, want %v", err, tt.want)
			}
			n.is(s, tt.want, "the next request")
		})
	}
}

// After a gap nothing is served unchecked while the store answers.
func TestGap(t *testing.T) {
	w := newWorld(t)
	n, other := w.node(), w.node()
	stop := n.run()
	stop() // no background: the request itself must find out
	revoked, live := n.signIn(), n.signIn()
	n.cache.deaf.Store(true)
	if err := other.End(t.Context(), revoked.Session.ID); err != nil {
		t.Fatal(err)
	}
	n.is(revoked, nil, "as long as nothing is known of a gap")
	n.gap()
	before := n.store.total()
	n.is(revoked, ErrNoSession, "after the gap")
	n.is(live, nil, "after the gap")
	n.is(live, nil, "again")
	if got := n.store.count("Revalidate"); got == 0 || got > 2 || n.store.total()-before > 2 {
		t.Errorf("the gap took %d queries", n.store.total()-before)
	}
}

// A node that reaches only the cache learns from it what it missed.
func TestGapWhileTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.run()
	revoked, live := n.signIn(), n.signIn()
	n.store.cutOff(t)
	n.cache.lose()
	n.is(revoked, nil, "cut off from both")
	if err := w.node().End(t.Context(), revoked.Session.ID); err != nil {
		t.Fatal(err)
	}
	n.cache.regain()
	eventually(t, "the cache tells of it", func() bool {
		_, err := n.Authenticate(t.Context(), host, revoked.Handle)
		return errors.Is(err, ErrNoSession)
	})
	n.is(live, nil, "which nobody ended")
}

// A node that is cut off from both refuses after serve_stale.
func TestCutOff(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.run()
	s := n.signIn()
	n.store.cutOff(t)
	n.cache.lose()
	if err := w.node().End(t.Context(), s.Session.ID); err != nil {
		t.Fatal(err)
	}
	n.is(s, nil, "cut off")
	w.clock.advance(10 * time.Minute)
	n.is(s, ErrUnavailable, "after serve_stale")
}

// The cache may be away when the node starts.
func TestRunWithoutCache(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.cache.cut.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	eventually(t, "the subscription is tried again", func() bool { return n.cache.refused.Load() > 1 })
	s := n.signIn()
	n.is(s, nil, "without a cache")
	if _, err := w.store.RevokeSession(t.Context(), s.Session.ID); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	n.is(s, ErrNoSession, "after the interval")
	second := n.signIn()
	n.cache.cut.Store(false)
	eventually(t, "the node subscribes", func() bool { return n.cache.subscriptions.Load() == 1 })
	if err := w.node().End(t.Context(), second.Session.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it hears announcements", func() bool { return n.refusal(second.Session.ID) != nil })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("running: %v", err)
	}
}

// An announcement that the cache did not take is made later.
func TestAnnouncementIsMadeGood(t *testing.T) {
	w := newWorld(t)
	a, b := w.node(), w.node()
	b.run()
	s := a.signIn()
	a.cache.cut.Store(true)
	if err := a.End(t.Context(), s.Session.ID); err != nil {
		t.Errorf("ending while the cache is down: %v", err)
	}
	if b.refusal(s.Session.ID) != nil {
		t.Fatal("announced through a cut wire")
	}
	a.cache.cut.Store(false)
	a.run()
	eventually(t, "it is announced", func() bool { return b.refusal(s.Session.ID) != nil })
}

// Tombstones are bounded; a load that began before a forgotten one is not
// believed.
func TestEndingsAreBounded(t *testing.T) {
	s := newEndings(3)
	ids := make([]sessionID, 5)
	for i := range ids {
		ids[i][0] = byte(i + 1)
		s.add(ids[i], revoked, 0)
		s.add(ids[i], expired, 0)
	}
	if len(s.tombs) != 3 || len(s.revocations()) != 3 {
		t.Errorf("%d tombstones, %d revocations", len(s.tombs), len(s.revocations()))
	}
	if s.of(ids[4], 0) != revoked || s.of(ids[0], 0) != 0 {
		t.Error("the newest are to be kept")
	}
	if !s.voids("anybody", 0) {
		t.Error("a load from before what was forgotten is believed")
	}
	if s.voids("anybody", s.generation) {
		t.Error("a load from now is void")
	}
	for range maxSubjects + 1 {
		s.subject(string(ids[0][:]) + time.Duration(len(s.subjects)).String())
	}
	if len(s.subjects) > maxSubjects {
		t.Errorf("%d subjects", len(s.subjects))
	}
	s.expire(rememberEnded)
	if len(s.tombs) != 0 || len(s.order) != 0 {
		t.Errorf("%d tombstones after their time", len(s.tombs))
	}
}

// A gap while the store is asked makes its answer stale: what was announced in
// the gap may be younger.
func TestGapOvertakesQuery(t *testing.T) {
	for _, method := range []string{"Session", "Revalidate"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			s := w.node().signIn()
			if method == "Revalidate" {
				n.is(s, nil, "first sight")
				n.epoch.Add(1)
			}
			var once sync.Once
			n.store.hook(nil, func(called string) {
				if called == method {
					once.Do(func() {
						if _, err := w.store.RevokeSession(t.Context(), s.Session.ID); err != nil {
							t.Error(err)
						}
						n.gap()
					})
				}
			})
			_, _ = n.Authenticate(t.Context(), host, s.Handle)
			n.is(s, ErrNoSession, "the next request")
		})
	}
}
