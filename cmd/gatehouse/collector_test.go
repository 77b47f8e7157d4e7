package main

import "testing"

// Memory is at most twice what lives, or what lives and headroom.
func TestCollectorPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 1600, 4 << 20: 1600, 16 << 20: 400, 17 << 20: 350, 40 << 20: 150, 64 << 20: 100, 1 << 40: 100,
	} {
		got := collectorPercent(live)
		if got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
		if peak := live + live*uint64(got)/100; live > 4<<20 && peak > max(2*live, live+headroom) {
			t.Errorf("%d bytes live: up to %d", live, peak)
		}
	}
}
