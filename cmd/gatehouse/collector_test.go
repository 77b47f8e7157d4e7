package main

import (
	"runtime"
	"runtime/debug"
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
