package postgres

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// join is a rotation that comes and has to wait, or not.
func join(t *testing.T, q *rotations, ctx context.Context, id byte) (waits, timer bool) {
	t.Helper()
	now, timer := q.enter(&waitingRotation{Rotation: tokenstore.Rotation{ID: uuid.UUID{id}}, ctx: ctx})
	return !now, timer
}

// Who has gone before his turn came is left out: rotated later, his token would
// be an old one when he comes back.
func TestRotations_LeaveOutWhoHasGone(t *testing.T) {
	var q rotations
	gone, cancel := context.WithCancel(t.Context())
	if waits, _ := join(t, &q, t.Context(), 0); waits {
		t.Fatal("the first has to wait")
	}
	for _, id := range []byte{10, 11, 12} {
		ctx := t.Context()
		if id != 11 {
			ctx = gone
		}
		if waits, _ := join(t, &q, ctx, id); !waits {
			t.Fatalf("%d does not wait", id)
		}
	}
	cancel()
	if batch := q.leave(); len(batch) != 1 || batch[0].ID != (uuid.UUID{11}) {
		t.Errorf("the batch has %d, want the one who is still there", len(batch))
	}
	if batch := q.leave(); batch != nil || q.sent != 0 {
		t.Errorf("then %d, and %d are sent", len(batch), q.sent)
	}
}

// One timer runs for all who wait; when it has run, they go beside those that
// are still on their way, while there is room.
func TestRotations_DoNotWaitLongForCompany(t *testing.T) {
	var q rotations
	join(t, &q, t.Context(), 0)
	for n := 1; n < rotationsAtOnce; n++ {
		for i, want := range []bool{true, false} {
			if waits, timer := join(t, &q, t.Context(), byte(n)); !waits || timer != want {
				t.Fatalf("number %d of round %d: waits %v, starts a timer %v", i, n, waits, timer)
			}
		}
		if batch := q.hurry(); len(batch) != 2 || q.sent != n+1 {
			t.Fatalf("round %d: %d go, and %d are sent", n, len(batch), q.sent)
		}
	}
	join(t, &q, t.Context(), 99)
	if batch := q.hurry(); batch != nil || q.sent != rotationsAtOnce {
		t.Errorf("without room %d go, and %d are sent", len(batch), q.sent)
	}
	if _, timer := join(t, &q, t.Context(), 100); !timer {
		t.Error("no timer runs, and none is started")
	}
	if batch := q.leave(); len(batch) != 2 {
		t.Errorf("%d go with the place of who leaves, want both", len(batch))
	}
	if batch := q.hurry(); batch != nil || q.sent != rotationsAtOnce {
		t.Errorf("the timer finds %d, and %d are sent", len(batch), q.sent)
	}
}

func TestRotations_TakeNoMoreThanABatch(t *testing.T) {
	q := rotations{sent: rotationsAtOnce}
	for range maxTogether + 3 {
		q.enter(&waitingRotation{ctx: t.Context()})
	}
	for _, want := range []int{maxTogether, 3, 0} {
		if got := len(q.leave()); got != want {
			t.Errorf("a batch of %d, want %d", got, want)
		}
	}
}
