package gateway

import (
	"regexp"
	"strconv"
	"testing"
)

// local finds addresses of this machine with a port.
var local = regexp.MustCompile(`(localhost|127\.0\.0\.1|\[::1\]):(\d+)`)

// Move replaces every port of this machine in a Caddyfile by a free one, the
// same one for the same port, and returns which became which.
func Move(t testing.TB, caddyfile string) (moved string, ports map[int]int) {
	t.Helper()
	ports = map[int]int{}
	moved = local.ReplaceAllStringFunc(caddyfile, func(address string) string {
		parts := local.FindStringSubmatch(address)
		old, err := strconv.Atoi(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		if ports[old] == 0 {
			ports[old] = FreePort(t)
		}
		return parts[1] + ":" + strconv.Itoa(ports[old])
	})
	return moved, ports
}
