package gateway

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// ports remembers which ports this test binary has given out, so that two tests
// that run at once never get the same one.
var ports sync.Map

// FreePort returns a loopback port that nobody listens on. It is below the
// range that the kernel gives to outgoing connections, so it stays free while a
// gateway is restarted.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 200 {
		port := 10240 + rand.IntN(6000)
		if _, taken := ports.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = listener.Close()
		return port
	}
	t.Fatal("found no free port")
	return 0
}
