package cachetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var noteTests = []test{
	{"Notes_OutliveTheFlow", testNotes},
	{"Notes_AreGoneInTime", testNotesEnd},
	{"Notes_BelongToOneFlow", testNotesOfOne},
}

// note is the note of a flow as one node reads it, and whatever else it answers.
func note(t testing.TB, s cache.Store, key string, want error) []byte {
	t.Helper()
	f, err := s.Flow(t.Context(), key)
	wantErr(t, "Flow", err, want)
	return f.Note
}

func testNotes(t *testing.T, h Harness) {
	full := bytes.Repeat([]byte{0xff}, cache.MaxValue)
	start(t, h.Store, pending("code:1"), pending("code:2"), pending("code:3"))
	if got := note(t, h.Store, "code:1", nil); got != nil {
		t.Fatalf("a flow begins with the note %q", got)
	}
	advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Ready, Note: binary, Validity: time.Minute})
	advance(t, h.Store, cache.Transition{Key: "code:2", From: cache.Pending, To: cache.Done, Note: full})
	advance(t, h.Store, cache.Transition{Key: "code:3", From: cache.Pending, To: cache.Error, Value: []byte("why"), Note: binary})
	for _, node := range h.nodes() {
		if got := note(t, node, "code:1", nil); !bytes.Equal(got, binary) {
			t.Errorf("while it can be redeemed its note is %q", got)
		}
		if got := note(t, node, "code:2", cache.ErrUsed); !bytes.Equal(got, full) {
			t.Errorf("a note of %d bytes comes back as %d", len(full), len(got))
		}
		if got := note(t, node, "code:3", cache.ErrState); !bytes.Equal(got, binary) {
			t.Errorf("after a refusal its note is %q", got)
		}
	}
	got := redeem(t, h.other(), "code:1")
	if got.Note != nil || !bytes.Equal(got.Value, binary) {
		t.Errorf("a redemption answers %q with the note %q", got.Value, got.Note)
	}
	for _, node := range h.nodes() {
		if got := note(t, node, "code:1", cache.ErrUsed); !bytes.Equal(got, binary) {
			t.Errorf("after its redemption its note is %q", got)
		}
	}
	start(t, h.Store, pending("code:4"))
	advance(t, h.Store, cache.Transition{Key: "code:4", From: cache.Pending, To: cache.Pending, Note: []byte("old")})
	advance(t, h.Store, cache.Transition{Key: "code:4", From: cache.Pending, To: cache.Ready, Note: []byte("new")})
	advance(t, h.Store, cache.Transition{Key: "code:4", From: cache.Ready, To: cache.Done})
	if got := note(t, h.other(), "code:4", cache.ErrUsed); string(got) != "new" {
		t.Errorf("the later note is %q", got)
	}
}

func testNotesEnd(t *testing.T, h Harness) {
	for _, key := range []string{"code:1", "code:2"} {
		start(t, h.Store, pending(key))
		advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Done, Note: binary})
	}
	h.Advance(cache.NoteLife / 2)
	if got := note(t, h.Store, "code:1", cache.ErrUsed); !bytes.Equal(got, binary) {
		t.Errorf("after %v its note is %q", cache.NoteLife/2, got)
	}
	h.Advance(cache.Retention)
	if got := note(t, h.Store, "code:1", cache.ErrNotFound); got != nil {
		t.Errorf("without a tombstone its note is %q", got)
	}
}

func testNotesOfOne(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Done, Note: binary})
	wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), "code:1", ""))
	start(t, h.Store, pending("code:1"))
	advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Done})
	if got := note(t, h.other(), "code:1", cache.ErrUsed); got != nil {
		t.Errorf("the note of the flow before is there: %q", got)
	}
}
