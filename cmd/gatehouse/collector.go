package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// headroom is how much the heap grows at least between two garbage collections,
// in bytes.
const headroom = 64 << 20

// paceCollector gives the garbage collector headroom, for as long as the
// program runs. A gateway keeps little alive and allocates much: Go's default,
// to collect when the heap has doubled, collects a busy token endpoint dozens
// of times a second, for a sixth of its processor. Once more lives than
// headroom, Go's default holds again, so that memory is never more than that
// plus headroom. GOGC in the environment is left alone, and the memory limit
// that Caddy takes from the container, or GOMEMLIMIT, stands above it.
func paceCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	const every = 5 * time.Second
	go func() {
		percent := 0
		for {
			if next := collectorPercent(liveHeap()); next != percent {
				percent = next
				debug.SetGCPercent(percent)
			}
			time.Sleep(every)
		}
	}()
}

// liveHeap is what the last collection found alive, in bytes; 0 before the
// first.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// collectorPercent is the GOGC for a live heap: in steps, since every change
// stops the program for a moment.
func collectorPercent(live uint64) int {
	const least, step = 4 << 20, 50
	percent := headroom * 100 / max(live, least)
	return int(max(100, percent/step*step))
}
