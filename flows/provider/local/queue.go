package local

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// Queue bounds how many passwords are checked at once. One queue may serve
// several providers, such as those before and after a reload.
type Queue struct {
	slots   chan struct{} // those who hash
	places  chan struct{} // those who hash or wait
	maxWait time.Duration
}

// Defaults of NewQueue.
const (
	defaultWaiting = 64
	defaultMaxWait = 10 * time.Second
)

// NewQueue lets running passwords be checked at once and waiting more wait, at
// most for maxWait. Zero values: one per core, 64, 10 seconds.
func NewQueue(running, waiting int, maxWait time.Duration) *Queue {
	if running <= 0 {
		running = runtime.GOMAXPROCS(0)
	}
	if waiting <= 0 {
		waiting = defaultWaiting
	}
	if maxWait <= 0 {
		maxWait = defaultMaxWait
	}
	return &Queue{
		slots:   make(chan struct{}, running),
		places:  make(chan struct{}, running+waiting),
		maxWait: maxWait,
	}
}

// enter waits for a turn. The caller leaves when enter gave no error.
// ErrBusy when the queue is full, or the turn did not come in time.
func (q *Queue) enter(ctx context.Context) error {
	select {
	case q.places <- struct{}{}:
	default:
		return provider.ErrBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, q.maxWait, errWaited)
	defer cancel()
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-q.places
		return fmt.Errorf("%w: %w", provider.ErrBusy, context.Cause(ctx))
	}
}

func (q *Queue) leave() {
	<-q.slots
	<-q.places
}

var errWaited = errors.New("waited too long for a turn")
