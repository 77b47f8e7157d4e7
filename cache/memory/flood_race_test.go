//go:build race

package memory

// floodStarts is few, because the race detector makes each start several times
// as expensive; `make flood` starts a million without it.
const floodStarts = 50_000
