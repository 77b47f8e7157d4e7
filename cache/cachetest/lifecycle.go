package cachetest

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var lifecycleTests = []test{
	{"Context_EndedIsUnavailable", testContext},
	{"Close_EndsEverything", testClose},
}

// everyMethod calls all that can fail.
func everyMethod(ctx context.Context, s cache.Store) map[string]error {
	errs := map[string]error{}
	errs["StartFlow"] = s.StartFlow(ctx, pending("code:1"))
	_, errs["Flow"] = s.Flow(ctx, "code:1")
	_, errs["AdvanceFlow"] = s.AdvanceFlow(ctx, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Ready})
	_, errs["RedeemFlow"] = s.RedeemFlow(ctx, "code:1", proof, "a")
	_, errs["PollFlow"] = s.PollFlow(ctx, "code:1", proof, "a")
	errs["DeleteFlow"] = s.DeleteFlow(ctx, "code:1", "a")
	errs["SetAlias"] = s.SetAlias(ctx, "alias", "code:1", time.Minute)
	_, errs["Alias"] = s.Alias(ctx, "alias")
	_, errs["Peek"] = s.Peek(ctx, count("a"))
	_, errs["Add"] = s.Add(ctx, count("a"))
	errs["Forgive"] = s.Forgive(ctx, "a")
	_, errs["Once"] = s.Once(ctx, "a", time.Minute)
	errs["Announce"] = s.Announce(ctx, cache.Announcement{Subjects: []string{"s"}})
	errs["Subscribe"] = s.Subscribe(ctx, func(cache.Announcement) {}, func() {})
	_, errs["RecentRevocations"] = s.RecentRevocations(ctx)
	errs["Ping"] = s.Ping(ctx)
	return errs
}

func testContext(t *testing.T, h Harness) {
	wantOK(t, "Ping", h.Store.Ping(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range everyMethod(ctx, h.Store) {
		wantErr(t, name, err, cache.ErrUnavailable)
		wantErr(t, name, err, context.Canceled)
	}
	wantOK(t, "Ping", h.Store.Ping(t.Context()))
}

func testClose(t *testing.T, h Harness) {
	listen(context.Background(), t, h.Store)
	wantOK(t, "Close", h.Store.Close())
	for name, err := range everyMethod(t.Context(), h.Store) {
		wantErr(t, name, err, cache.ErrUnavailable)
	}
	if h.Other != nil {
		wantOK(t, "Ping of the other node", h.Other.Ping(t.Context()))
	}
}
