//go:build !race

package redis

const floodStarts = 1_000_000
