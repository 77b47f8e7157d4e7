package postgres

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Who has gone before his turn came is left out: rotated later, his token would
// be an old one when he comes back.
func TestRotations_LeaveOutWhoHasGone(t *testing.T) {
	var q rotations
	gone, cancel := context.WithCancel(t.Context())
	wait := func(ctx context.Context, id byte) bool {
		return !q.enter(&waitingRotation{Rotation: tokenstore.Rotation{ID: uuid.UUID{id}}, ctx: ctx})
	}
	for n := range byte(rotationsAtOnce) {
		if wait(t.Context(), n) {
			t.Fatalf("number %d has to wait", n)
		}
	}
	for _, id := range []byte{10, 11, 12} {
		ctx := t.Context()
		if id != 11 {
			ctx = gone
		}
		if !wait(ctx, id) {
			t.Fatalf("%d does not wait", id)
		}
	}
	cancel()
	if batch := q.leave(); len(batch) != 1 || batch[0].ID != (uuid.UUID{11}) {
		t.Errorf("the batch has %d, want the one who is still there", len(batch))
	}
	if batch := q.leave(); batch != nil || q.sent != rotationsAtOnce-1 {
		t.Errorf("then %d, and %d are sent", len(batch), q.sent)
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
