package local

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testQueue)
}

func testQueue(t *testing.T) {
	q := NewQueue(1, 1, time.Minute)
	if err := q.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() { waiting <- q.enter(ctx) }()
	synctest.Wait()
	if err := q.enter(t.Context()); !errors.Is(err, provider.ErrBusy) {
		t.Errorf("entering a full queue: %v, want ErrBusy", err)
	}
	cancel()
	if err := <-waiting; !errors.Is(err, provider.ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v, want ErrBusy and Canceled", err)
	}

	go func() { waiting <- q.enter(t.Context()) }()
	synctest.Wait()
	q.leave()
	if err := <-waiting; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
	q.leave()
	if len(q.places) != 0 || len(q.slots) != 0 {
		t.Errorf("%d places and %d slots are still taken", len(q.places), len(q.slots))
	}
}
