package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// While requests, sign-outs, gaps, reloads, evictions and suspensions that come
// to nothing run at once: a session that was ended is refused by whoever asks
// afterwards, and no other one is.
func TestStorm(t *testing.T) {
	w := newWorld(t)
	n := w.node(func(c *Config) { c.Now, c.MaxEntries, c.Interval = time.Now, 24, 40*time.Millisecond })
	n.run()
	type session struct {
		Started
		ended atomic.Bool
	}
	sessions := make([]*session, 40)
	for i := range sessions {
		sessions[i] = &session{Started: n.signIn()}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var work sync.WaitGroup
	repeat := func(f func()) {
		work.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	var answers [8]atomic.Int64 // of each of those who ask
	for i := range 4 {
		repeat(func() {
			defer answers[2*i].Add(1)
			s := sessions[rand.IntN(len(sessions))]
			before := s.ended.Load()
			_, err := n.Authenticate(context.Background(), host, s.Handle)
			switch {
			case err == nil && before:
				t.Error("an ended session was served")
			case errors.Is(err, ErrUnavailable):
				t.Errorf("unavailable: %v", err)
			}
		})
		repeat(func() { // the second half is never ended
			defer answers[2*i+1].Add(1)
			s := sessions[len(sessions)/2+rand.IntN(len(sessions)/2)]
			if _, err := n.Authenticate(context.Background(), host, s.Handle); err != nil {
				t.Errorf("a live session: %v", err)
			}
		})
	}
	repeat(func() {
		s := sessions[rand.IntN(len(sessions)/2)]
		if err := n.End(context.Background(), s.Session.ID); err != nil {
			t.Error(err)
		}
		s.ended.Store(true)
		time.Sleep(10 * time.Millisecond) // else all have ended before much has happened
	})
	repeat(func() {
		n.gap()
		n.Configure(Settings{Interval: 40 * time.Millisecond})
		time.Sleep(5 * time.Millisecond) // else nothing is ever served from the cache
	})
	repeat(func() {
		n.receive(cache.Announcement{Subjects: []string{sessions[0].Session.Subject}})
		time.Sleep(100 * time.Millisecond) // rarer than the other gaps
		// A request that meets one in each of its attempts is answered 503. So
		// everybody has asked and been answered before the next one.
		for i := range answers {
			for before := answers[i].Load(); answers[i].Load() < before+2 && ctx.Err() == nil; {
				time.Sleep(time.Millisecond)
			}
		}
	})
	repeat(func() {
		stopped := make(chan struct{})
		s := sessions[rand.IntN(len(sessions))]
		before := s.ended.Load()
		release := n.Watch(s.Session.ID, false, func() { close(stopped) })
		if before {
			<-stopped
		}
		release()
	})
	work.Wait()
}
