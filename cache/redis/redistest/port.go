package redistest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// ports remembers which ports this test binary has given out, so that a server
// that is down for a moment finds its own free.
var ports sync.Map

// FreePort returns a loopback port that nothing listens on now, and that no
// other call returns. It is below the range that the kernel gives to outgoing
// connections: there, a client that dials a killed server could take the port
// or even connect to itself.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(24_576 + rand.IntN(8000))
		if _, given := ports.LoadOrStore(port, true); given {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		_ = listener.Close()
		return port
	}
	t.Fatal("found no free port")
	return ""
}
