package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ErrFinal, in a handler's error, says that no further try can mend it: the
// entry is removed.
var ErrFinal = errors.New("trying again is of no use")

const (
	// interval between two looks at an empty outbox.
	interval = 5 * time.Second
	// batch is how many entries are taken and handled at a time.
	batch = 8
	// timeout of handling one entry.
	timeout = 10 * time.Second
	// lease of a taken entry: the handling of it, and saying so.
	lease = 3 * timeout
	// firstPause doubles with each failed attempt.
	firstPause = 2 * time.Second
)

// Handler deals with the entries of one kind.
type Handler struct {
	// Handle does what an entry asks for. It may be called more than once for
	// the same entry, and by several nodes at a time after one was cut off. It
	// has ten seconds.
	Handle func(ctx context.Context, e tokenstore.OutboxEntry) error
	// Attempts after which an entry is given up. Default: as many as fit in
	// until its NotBy.
	Attempts int
	// MaxPause between two attempts. Default: one hour.
	MaxPause time.Duration
}

// Store is the part of a token store that holds the outbox.
type Store interface {
	TakeOutbox(ctx context.Context, limit int, lease time.Duration, kinds ...tokenstore.OutboxKind) ([]tokenstore.OutboxEntry, error)
	FinishOutbox(ctx context.Context, id uuid.UUID, again time.Duration) error
}

// Config of a Drain. All of it is required.
type Config struct {
	Store    Store
	Handlers map[tokenstore.OutboxKind]Handler
	Now      func() time.Time
	Logger   *slog.Logger
}

// Drain hands the outbox's entries to the handlers of their kinds. Make one
// with [New]. Any number of drains, on any number of nodes, may share a store.
type Drain struct {
	Config
	kinds []tokenstore.OutboxKind
	kick  chan struct{}
}

// New makes a drain.
func New(c Config) (*Drain, error) {
	if c.Store == nil || c.Now == nil || c.Logger == nil {
		return nil, errors.New("draining the outbox needs a store, a clock and a logger")
	}
	d := &Drain{Config: c, kick: make(chan struct{}, 1)}
	for kind, h := range c.Handlers {
		if h.Handle == nil {
			return nil, fmt.Errorf("draining the outbox: kind %q has no handler", kind)
		}
		d.kinds = append(d.kinds, kind)
	}
	return d, nil
}

// Kick has the outbox looked at soon, because something was queued.
func (d *Drain) Kick() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// Run drains until ctx ends, and returns when the handlers have. Without
// handlers it returns at once.
func (d *Drain) Run(ctx context.Context) {
	if len(d.kinds) == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		for d.Once(ctx) == batch {
			if ctx.Err() != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.kick:
		}
	}
}

// Once takes what is due, up to eight entries, handles it, and returns how many
// entries that were.
func (d *Drain) Once(ctx context.Context) int {
	if len(d.kinds) == 0 { // asking for no kind is asking for all
		return 0
	}
	entries, err := d.Store.TakeOutbox(ctx, batch, lease, d.kinds...)
	if err != nil {
		if ctx.Err() == nil {
			d.Logger.DebugContext(ctx, "reading the outbox failed", "error", err)
		}
		return 0
	}
	// All at once: one that does not answer holds up nobody else, and none
	// outlives its lease in a queue.
	var handling sync.WaitGroup
	for _, e := range entries {
		handling.Go(func() { d.handle(ctx, e) })
	}
	handling.Wait()
	return len(entries)
}

func (d *Drain) handle(ctx context.Context, e tokenstore.OutboxEntry) {
	h := d.Handlers[e.Kind]
	attempt, cancel := context.WithTimeout(ctx, timeout)
	err := h.Handle(attempt, e)
	cancel()
	again := time.Duration(0)
	if err != nil {
		if ctx.Err() != nil {
			return // cut off by the end of the process; due again when the lease ends
		}
		again = d.pause(h, e, err)
		d.Logger.WarnContext(ctx, "telling somebody failed", "kind", string(e.Kind), "target", e.Target,
			"attempts", e.Attempts, "gave_up", again == 0, "error", err)
	}
	// Also when the process is to end: what was told must not be told again.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := d.Store.FinishOutbox(finish, e.ID, again); err != nil {
		d.Logger.WarnContext(ctx, "finishing an outbox entry failed", "kind", string(e.Kind), "target", e.Target, "error", err)
	}
}

// pause until an entry is tried again; 0 gives it up.
func (d *Drain) pause(h Handler, e tokenstore.OutboxEntry, err error) time.Duration {
	limit := h.MaxPause
	if limit == 0 {
		limit = time.Hour
	}
	pause := min(firstPause<<min(max(e.Attempts-1, 0), 20), limit)
	switch {
	case errors.Is(err, ErrFinal),
		h.Attempts > 0 && e.Attempts >= h.Attempts,
		!e.NotBy.IsZero() && !d.Now().Add(pause).Before(e.NotBy):
		return 0
	}
	return pause
}
