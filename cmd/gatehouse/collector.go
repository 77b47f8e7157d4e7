package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
	p := &pace{percent: 100, scanned: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
	runtime.SetFinalizer(p, (*pace).set)
}

// pace is garbage, whose finalizer is thus called after each collection.
type pace struct {
	percent int
	scanned []metrics.Sample // what GOGC is a percentage of
}

func (p *pace) set() {
	metrics.Read(p.scanned)
	scanned := uint64(0)
	for _, s := range p.scanned {
		scanned += s.Value.Uint64()
	}
	if next := collectorPercent(scanned); next != p.percent {
		p.percent = next
		debug.SetGCPercent(next)
	}
	runtime.SetFinalizer(p, (*pace).set)
}

// collectorPercent is the GOGC for what lives in heap, stacks and globals, in
// bytes: in steps, since every change stops the program for a moment.
func collectorPercent(live uint64) int {
	const step = 50
	return int(max(100, headroom*100/max(live, 1<<20)/step*step))
}
