package flows_test

import (
	"testing"
	"time"
)

// wantEndedByReplay redeems a code again until what came of it has ended. A replay is what
// comes when those before have left, which is a moment after they were answered, and
// longer than the store takes to answer after the session began: on a busy machine the
// first may be neither.
func wantEndedByReplay(t testing.TB, what string, redeem func() answer, active func() bool) {
	t.Helper()
	eventually(t, what+": a replay ends what was given", func() bool {
		if got := redeem(); got.text("error") != "invalid_grant" {
			t.Fatalf("%s: a replay: %d %v", what, got.status, got.body)
		}
		return !active()
	})
}

// eventually waits for what happens in the background. The time is what a busy
// machine may take, not what a gateway does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}
