package device_test

import (
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// residentMiB is how much of the process with an id is in memory.
func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("this system does not say how much memory a process has: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == "VmRSS:" {
			if kib, err := strconv.Atoi(fields[1]); err == nil {
				return kib / 1024
			}
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// TestFlood_OfOneAddressIsRefusedAndFeltByNobodyElse starts many flows from one
// address, of which a few are waiting for approval.
func TestFlood_OfOneAddressIsRefusedAndFeltByNobodyElse(t *testing.T) {
	t.Parallel()
	starts := 10_000
	if testing.Short() {
		starts = 1000
	}
	const limit = 200
	// With Go's own pace of collecting, so that what is measured is kept, and is not
	// the room that the program gives the collector.
	w := startNamed(t, 1, "", []string{"GOGC=100"})
	alice := w.signedIn(t, 0, "alice")
	flooder, other := w.program(t, 0, "127.0.0.66", "cli"), w.program(t, 0, "127.0.0.2", "cli")
	first := flooder.begin()
	before := residentMiB(t, w.nodes[0].PID())

	var mu sync.Mutex
	begun := 1
	inParallel(8, starts, func(_, _ int) {
		a := flooder.post("device_authorization", url.Values{"scope": {"openid"}})
		switch {
		case a.status == http.StatusOK:
			mu.Lock()
			begun++
			mu.Unlock()
		case a.status != http.StatusTooManyRequests, a.text("error") != "temporarily_unavailable",
			!strings.Contains(a.text("error_description"), "from this address"), a.header.Get("Retry-After") == "":
			t.Errorf("a start too many is answered %d %v", a.status, a.fields)
		}
	})
	after := residentMiB(t, w.nodes[0].PID())
	if begun != limit {
		t.Errorf("%d flows were started, want %d", begun, limit)
	}
	if after > before+64 {
		t.Errorf("the gateway grew from %d to %d MiB", before, after)
	}
	t.Logf("%d starts, %d flows; the gateway had %d MiB and has %d MiB", starts, begun, before, after)

	for name, f := range map[string]flow{"the first of the address": first, "another address's": other.begin()} {
		if page := decide(t, alice, f, "approve"); page.Status != http.StatusOK {
			t.Errorf("%s: approving answers %d: %s", name, page.Status, page.Text())
		}
		if a := other.poll(f); a.status != http.StatusOK {
			t.Errorf("%s: a poll answers %d %v", name, a.status, a.fields)
		}
	}
	if a := flooder.post("device_authorization", url.Values{"scope": {"openid"}}); a.status != http.StatusOK {
		t.Errorf("a delivered flow still counts: %d %v", a.status, a.fields)
	}
}
