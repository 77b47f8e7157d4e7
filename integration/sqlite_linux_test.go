package integration_test

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// sizeFault lets the gateway's files grow no more, as a full disk or a quota does.
type sizeFault struct{ mark int }

func (s *sizeFault) begin(f *faulty) {
	f.t.Helper()
	s.mark = f.node.Log.Mark()
	s.limit(f, 1)
}

func (s *sizeFault) end(f *faulty) {
	f.t.Helper()
	s.limit(f, math.MaxUint64)
	f.awaitLog(s.mark, "disk I/O error")
}

func (s *sizeFault) limit(f *faulty, size uint64) {
	f.t.Helper()
	var limits unix.Rlimit
	err := unix.Prlimit(f.node.PID(), unix.RLIMIT_FSIZE, nil, &limits)
	if err == nil {
		limits.Cur = min(size, limits.Max)
		err = unix.Prlimit(f.node.PID(), unix.RLIMIT_FSIZE, &limits, nil)
	}
	if err != nil {
		f.t.Fatalf("limiting the size of files: %v", err)
	}
}

// TestSQLiteHasNoRoom_WhoeverIsToldToTryAgainCan: the gateway can write nothing.
func TestSQLiteHasNoRoom_WhoeverIsToldToTryAgainCan(t *testing.T) {
	t.Parallel()
	for name, portal := range map[string]bool{"portal": true, "a site": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			startFaulty(t, portal, "token_store sqlite", nil).outlives(t, &sizeFault{}, false)
		})
	}
}
