//go:build !race

package memory

const floodStarts = 1_000_000
