package flows_test

import (
	"testing"
	"time"
)

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
