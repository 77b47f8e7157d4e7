package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// Memory is at most twice what lives, or what lives and headroom.
func TestCollectorPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 6400, 4 << 20: 1600, 16 << 20: 400, 17 << 20: 350, 40 << 20: 150, 64 << 20: 100, 1 << 40: 100,
	} {
		got := collectorPercent(live)
		if got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
		if peak := live + live*uint64(got)/100; peak > max(2*live, live+headroom) {
			t.Errorf("%d bytes live: up to %d", live, peak)
		}
	}
}

func TestPaceCollector_FollowsWhatLives(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	paceCollector()
	reaches := func(what string, want func(percent int) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			runtime.GC()
			percent := debug.SetGCPercent(100)
			debug.SetGCPercent(percent)
			if want(percent) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %%", what, percent)
			}
		}
	}
	reaches("with little alive", func(percent int) bool { return percent > 400 })
	alive := make([]byte, 2*headroom)
	reaches("with much alive", func(percent int) bool { return percent == 100 })
	runtime.KeepAlive(alive)
	reaches("with little again", func(percent int) bool { return percent > 400 })
}

//go:noinline
func deep(stop, ready chan struct{}) byte {
	var b [6 << 10]byte // what a goroutine of a connection has on its stack
	b[len(stop)] = 1
	ready <- struct{}{}
	<-stop
	return b[len(b)-1]
}

// Memory is never more than Go's default plus headroom: with stacks too, which
// the collector's goal counts by the same percentage (gc guide: GOGC).
func TestPaceCollector_CountsStacks(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for _, n := range []int{0, 1000, 5000, 20000} {
		stop, ready := make(chan struct{}), make(chan struct{})
		for range n {
			go deep(stop, ready)
		}
		for range n {
			<-ready
		}
		s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
		debug.SetGCPercent(100)
		runtime.GC()
		runtime.GC()
		metrics.Read(s)
		byDefault := s[0].Value.Uint64()
		percent := collectorPercent(s[1].Value.Uint64() + s[2].Value.Uint64() + s[3].Value.Uint64())
		debug.SetGCPercent(percent)
		runtime.GC()
		metrics.Read(s)
		goal := s[0].Value.Uint64()
		t.Logf("%d goroutines: live %d KiB, stacks %d KiB, globals %d KiB, %d %%: goal %d MiB, by default %d MiB", n,
			s[1].Value.Uint64()>>10, s[2].Value.Uint64()>>10, s[3].Value.Uint64()>>10, percent, goal>>20, byDefault>>20)
		if goal > byDefault+headroom+(4<<20) {
			t.Errorf("%d goroutines: the heap grows to %d MiB, %d MiB more than by default", n, goal>>20, (goal-byDefault)>>20)
		}
		close(stop)
	}
}
