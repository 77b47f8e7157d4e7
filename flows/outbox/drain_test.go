package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bed struct {
	*testing.T
	store  *sqlite.Store
	mu     sync.Mutex
	offset time.Duration
	told   []string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t}
	var err error
	if b.store, err = sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Now: b.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	if err := b.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.offset)
}

func (b *bed) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offset += d
}

func (b *bed) queue(kind tokenstore.OutboxKind, target string, keep time.Duration) {
	b.Helper()
	id, err := uuid.NewV7()
	if err == nil {
		err = b.store.Enqueue(b.Context(), tokenstore.OutboxEntry{ID: id, Kind: kind, Target: target, NotBy: b.now().Add(keep)})
	}
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) drain(handlers map[tokenstore.OutboxKind]outbox.Handler) *outbox.Drain {
	b.Helper()
	d, err := outbox.New(outbox.Config{Store: b.store, Handlers: handlers, Now: b.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// tell is a handler that says what it was given, and answers err.
func (b *bed) tell(err error) func(context.Context, tokenstore.OutboxEntry) error {
	return func(_ context.Context, e tokenstore.OutboxEntry) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.told = append(b.told, string(e.Kind)+" "+e.Target)
		return err
	}
}

func (b *bed) wantTold(n int, what string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.told) != n {
		b.Fatalf("%s: told %v, want %d", what, b.told, n)
	}
}

const (
	logout     = tokenstore.OutboxBackchannelLogout
	revocation = tokenstore.OutboxProviderRevocation
)

func TestDrain_ByKind(t *testing.T) {
	b := newBed(t)
	for i := range 30 {
		b.queue(logout, fmt.Sprint(i), time.Hour)
		b.queue(revocation, fmt.Sprint(i), time.Hour)
	}
	none := b.drain(nil)
	if n := none.Once(t.Context()); n != 0 {
		t.Errorf("a drain without handlers took %d entries", n)
	}
	none.Run(t.Context()) // returns
	logouts := b.drain(map[tokenstore.OutboxKind]outbox.Handler{logout: {Handle: b.tell(nil)}})
	for logouts.Once(t.Context()) > 0 {
	}
	b.wantTold(30, "logouts")
	// The others were not touched: they are due, at once and for the first time.
	entries, err := b.store.TakeOutbox(t.Context(), 100, time.Minute)
	if err != nil || len(entries) != 30 {
		t.Fatalf("%d entries are left (%v), want 30", len(entries), err)
	}
	for _, e := range entries {
		if e.Kind != revocation || e.Attempts != 1 {
			t.Errorf("left is %+v", e)
		}
	}
}

func TestDrain_TriesAgain(t *testing.T) {
	tests := []struct {
		name        string
		h           outbox.Handler
		err         error
		least, most int // tries within a week
	}{
		{"done", outbox.Handler{}, nil, 1, 1},
		{"of no use", outbox.Handler{}, fmt.Errorf("bad: %w", outbox.ErrFinal), 1, 1},
		{"so many attempts", outbox.Handler{Attempts: 4}, errors.New("down"), 4, 4},
		// 2, 4, 8 … seconds up to an hour, then each hour until the day is over.
		{"until it is given up", outbox.Handler{}, errors.New("down"), 30, 36},
		{"longer pauses", outbox.Handler{MaxPause: 4 * time.Hour}, errors.New("down"), 14, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			b.queue(logout, "client", 24*time.Hour)
			tt.h.Handle = b.tell(tt.err)
			d := b.drain(map[tokenstore.OutboxKind]outbox.Handler{logout: tt.h})
			for range 7 * 24 * 60 {
				for d.Once(t.Context()) > 0 {
				}
				b.advance(time.Minute)
			}
			if n := len(b.told); n < tt.least || n > tt.most {
				t.Errorf("tried %d times, want %d to %d", n, tt.least, tt.most)
			}
		})
	}
}

// One who does not answer holds up nobody else, and is cut off when the process
// ends, so that it is told again.
func TestDrain_OneHangs(t *testing.T) {
	b := newBed(t)
	b.queue(logout, "hangs", time.Hour)
	b.queue(revocation, "answers", time.Hour)
	answered := make(chan struct{})
	d := b.drain(map[tokenstore.OutboxKind]outbox.Handler{
		logout:     {Handle: func(ctx context.Context, _ tokenstore.OutboxEntry) error { <-ctx.Done(); return ctx.Err() }},
		revocation: {Handle: func(context.Context, tokenstore.OutboxEntry) error { close(answered); return nil }},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx) }()
	<-answered
	cancel()
	<-ended
	b.advance(time.Minute)
	entries, err := b.store.TakeOutbox(t.Context(), 100, time.Minute)
	if err != nil || len(entries) != 1 || entries[0].Target != "hangs" {
		t.Errorf("left are %+v (%v)", entries, err)
	}
}

// Within the bubble no time passes while anybody has work to do: the drain's
// clock brings none of the entries.
func TestDrain_Kick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		told := make(chan struct{})
		d := b.drain(map[tokenstore.OutboxKind]outbox.Handler{
			logout: {Handle: func(context.Context, tokenstore.OutboxEntry) error { told <- struct{}{}; return nil }},
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); d.Run(ctx) }()
		synctest.Wait() // until it has looked at the empty outbox
		start := time.Now()
		for range 3 {
			b.queue(logout, "client", time.Hour)
			d.Kick()
			<-told
			synctest.Wait()
		}
		if passed := time.Since(start); passed > 0 {
			t.Errorf("the kicks were heard after %v", passed)
		}
		cancel()
		<-ended
	})
}
