package cachetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// patience is how long an announcement may take before a test fails.
const patience = 2 * time.Minute

var announcementTests = []test{
	{"Announce_ReachesEveryNodeInOrder", testAnnounce},
	{"Announce_CarriesAnything", testAnnounceAnything},
	{"Announce_NeedsNoSubscriber", testAnnounceAlone},
	{"Subscribe_EndsWithItsContext", testUnsubscribe},
	{"RecentRevocations_AreKeptForAnHour", testRecent},
}

// listen subscribes and returns what is received.
func listen(ctx context.Context, t testing.TB, s cache.Store) <-chan cache.Announcement {
	t.Helper()
	received := make(chan cache.Announcement, 1000)
	err := s.Subscribe(ctx, func(a cache.Announcement) { received <- a }, func() { t.Error("a gap without a reason") })
	wantOK(t, "Subscribe", err)
	return received
}

func wantAnnouncement(t testing.TB, received <-chan cache.Announcement, want cache.Announcement) {
	t.Helper()
	select {
	case got := <-received:
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("announcement (-want +got):\n%s", diff)
		}
	case <-time.After(patience):
		t.Fatal("no announcement has come")
	}
}

func testAnnounce(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []<-chan cache.Announcement
	for _, node := range append(h.nodes(), h.Store) { // one node twice
		all = append(all, listen(ctx, t, node))
	}
	for i := range 50 {
		a := cache.Announcement{Sessions: []uuid.UUID{uuid.New()}, Subjects: []string{fmt.Sprint(i)}}
		wantOK(t, "Announce", h.nodes()[i%len(h.nodes())].Announce(t.Context(), a))
		for _, received := range all {
			wantAnnouncement(t, received, a)
		}
	}
}

func testAnnounceAnything(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	received := listen(ctx, t, h.other())
	many := make([]uuid.UUID, 5000)
	for i := range many {
		many[i] = uuid.New()
	}
	for _, a := range []cache.Announcement{
		{},
		{Sessions: many},
		{Subjects: []string{"", "\x00\xff", strings.Repeat("s", 10_000)}},
		{TokenIDs: []string{" 1 ", "\n"}, Sessions: []uuid.UUID{{}}},
	} {
		wantOK(t, "Announce", h.Store.Announce(t.Context(), a))
		wantAnnouncement(t, received, a)
	}
}

func testAnnounceAlone(t *testing.T, h Harness) {
	wantOK(t, "Announce", h.Store.Announce(t.Context(), cache.Announcement{Subjects: []string{"nobody listens"}}))
}

func testUnsubscribe(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	first := listen(ctx, t, h.Store)
	second := listen(t.Context(), t, h.Store)
	cancel()
	a := cache.Announcement{Subjects: []string{"s"}}
	wantOK(t, "Announce", h.Store.Announce(t.Context(), a))
	wantAnnouncement(t, second, a)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Store.Subscribe(ended, func(cache.Announcement) {}, func() {}); err == nil {
		t.Error("Subscribe with an ended context has succeeded")
	}
	// One that was on its way when the context ended may have come; no more.
	for range 10 {
		wantOK(t, "Announce", h.Store.Announce(t.Context(), a))
		wantAnnouncement(t, second, a)
	}
	if len(first) > 1 {
		t.Errorf("%d announcements after the end", len(first))
	}
}

func testRecent(t *testing.T, h Harness) {
	recent := func(s cache.Store, want ...uuid.UUID) {
		t.Helper()
		got, err := s.RecentRevocations(t.Context())
		wantOK(t, "RecentRevocations", err)
		order := func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("recent revocations (-want +got):\n%s", diff)
		}
	}
	a, b, c := uuid.UUID{}, uuid.UUID{0xff, '\n', '\r'}, uuid.New()
	recent(h.Store)
	wantOK(t, "Announce", h.Store.Announce(t.Context(), cache.Announcement{Sessions: []uuid.UUID{a, b}, Subjects: []string{"s"}}))
	recent(h.other(), a, b)
	h.Advance(40 * time.Minute)
	wantOK(t, "Announce", h.other().Announce(t.Context(), cache.Announcement{Sessions: []uuid.UUID{b, c}}))
	recent(h.Store, a, b, c)
	h.Advance(25 * time.Minute)
	recent(h.Store, b, c)
	h.Advance(40 * time.Minute)
	recent(h.Store)
}
