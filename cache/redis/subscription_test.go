package redis

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

// ears collect what a subscriber is told, in order: an announcement's subject,
// or "gap".
func ears(t *testing.T, store *Store) <-chan string {
	t.Helper()
	told := make(chan string, 100)
	err := store.Subscribe(t.Context(), func(a cache.Announcement) { told <- a.Subjects[0] }, func() { told <- "gap" })
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func wantTold(t *testing.T, told <-chan string, want string) {
	t.Helper()
	select {
	case got := <-told:
		if got != want {
			t.Fatalf("was told %q, want %q", got, want)
		}
	case <-time.After(2 * time.Minute):
		t.Fatalf("was never told %q", want)
	}
}

// untilTold passes over everything else. Where the heartbeat is quick, a machine
// that stands still for a moment makes a gap, and loses an announcement: again
// is called each second.
func untilTold(t *testing.T, told <-chan string, want string, again func()) {
	t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	eventually(t, "the subscriber to be told: "+want, func() bool {
		select {
		case got := <-told:
			return got == want
		case <-tick.C:
			again()
			return false
		}
	})
}

func say(t *testing.T, store *Store, subject string) {
	t.Helper()
	eventually(t, "an announcement to get out", func() bool {
		return store.Announce(t.Context(), cache.Announcement{Subjects: []string{subject}}) == nil
	})
}

func TestSubscription_TellsOfTheGapAndGoesOn(t *testing.T) {
	for name, test := range map[string]struct {
		cut, mend func(*testing.T, *redistest.Server)
	}{
		"server killed and restarted": {
			func(t *testing.T, s *redistest.Server) { s.Kill(t) },
			func(t *testing.T, s *redistest.Server) { s.Restart(t) },
		},
		"connection closed by the server": {
			func(t *testing.T, s *redistest.Server) {
				if err := s.Client(t).ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
					t.Fatal(err)
				}
			},
			func(*testing.T, *redistest.Server) {},
		},
		"server frozen": {
			func(t *testing.T, s *redistest.Server) { s.Freeze(t) },
			func(t *testing.T, s *redistest.Server) { s.Thaw(t) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			store := open(t, Options{URL: server.URL()})
			if name == "server frozen" { // which no closed connection tells
				store.heartbeat = 500 * time.Millisecond
			}
			told := ears(t, store)
			before, after := func() { say(t, store, "before") }, func() { say(t, store, "after") }
			before()
			untilTold(t, told, "before", before)
			test.cut(t, server)
			untilTold(t, told, "gap", func() {}) // the loss
			test.mend(t, server)
			untilTold(t, told, "gap", func() {}) // the reconnection
			after()
			untilTold(t, told, "after", after)
		})
	}
}

func TestSubscription_NoticesWhatItMissed(t *testing.T) {
	server := redistest.Start(t)
	store, client := open(t, Options{URL: server.URL()}), server.Client(t)
	told := ears(t, store)
	say(t, store, "one")
	wantTold(t, told, "one")
	// One was announced, and never came.
	if err := client.Incr(t.Context(), DefaultPrefix+numberKey).Err(); err != nil {
		t.Fatal(err)
	}
	say(t, store, "three")
	wantTold(t, told, "gap")
	wantTold(t, told, "three")
	// One comes that cannot be read.
	if err := client.Publish(t.Context(), store.channel(), "4 \xffnonsense").Err(); err != nil {
		t.Fatal(err)
	}
	wantTold(t, told, "gap")
	say(t, store, "four")
	wantTold(t, told, "four")
}

func TestSubscription_WaitsForTheServer(t *testing.T) {
	server := redistest.Start(t)
	server.Kill(t)
	store := open(t, Options{URL: server.URL()})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := store.Subscribe(ctx, func(cache.Announcement) {}, func() {}); err == nil {
		t.Fatal("Subscribe has succeeded without a server")
	}
	subscribed := make(chan error, 1)
	go func() {
		subscribed <- store.Subscribe(t.Context(), func(cache.Announcement) {}, func() {})
	}()
	server.Restart(t)
	select {
	case err := <-subscribed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("Subscribe never returned")
	}
}

// TestSentinel_HealsByItself has the old master live on as a replica, which
// answers writes with READONLY.
func TestSentinel_HealsByItself(t *testing.T) {
	sentinel := redistest.StartSentinel(t)
	store := open(t, Options{Addrs: sentinel.Addrs(), MasterName: sentinel.MasterName})
	told := ears(t, store)
	session := uuid.New()
	if err := store.Announce(t.Context(), cache.Announcement{Subjects: []string{"before"}, Sessions: []uuid.UUID{session}}); err != nil {
		t.Fatal(err)
	}
	wantTold(t, told, "before")
	if err := store.StartFlow(t.Context(), newFlow("before")); err != nil {
		t.Fatal(err)
	}
	sentinel.Switch(t)
	eventually(t, "the store to heal", func() bool {
		return store.StartFlow(t.Context(), newFlow("after")) == nil
	})
	if _, err := store.RedeemFlow(t.Context(), "before", newFlow("before").Proof, ""); err != nil {
		t.Errorf("a flow from before the fail-over is %v", err)
	}
	if recent, err := store.RecentRevocations(t.Context()); err != nil || len(recent) != 1 || recent[0] != session {
		t.Errorf("recent revocations are %v, %v", recent, err)
	}
	wantTold(t, told, "gap")
	wantTold(t, told, "gap")
	say(t, store, "after")
	wantTold(t, told, "after")
}
