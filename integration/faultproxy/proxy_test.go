package faultproxy_test

import (
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a server that answers each byte with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// patience is how long an echo may take.
const patience = 30 * time.Second

// roundTrip sends one byte and waits for its echo.
func roundTrip(t *testing.T, conn net.Conn, limit time.Duration) error {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

func TestCutEndsOpenAndNewConnections(t *testing.T) {
	p := faultproxy.Start(t, echo(t))
	conn := dial(t, p)
	if err := roundTrip(t, conn, patience); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if err := roundTrip(t, conn, patience); err == nil {
		t.Error("an open connection outlived the cut")
	}
	if err := roundTrip(t, dial(t, p), patience); err == nil {
		t.Error("a new connection was served during the cut")
	}
	p.Heal()
	if err := roundTrip(t, dial(t, p), patience); err != nil {
		t.Errorf("after healing: %v", err)
	}
}

func TestBlackholeIsSilentAndDeliversOnceHealed(t *testing.T) {
	p := faultproxy.Start(t, echo(t))
	conn := dial(t, p)
	p.Blackhole()
	if err := roundTrip(t, conn, time.Second); err == nil {
		t.Fatal("an answer came out of a black hole")
	}
	p.Heal()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Errorf("what was held back did not arrive: %v", err)
	}
}

func TestDelayIsPaidInEachDirection(t *testing.T) {
	p := faultproxy.Start(t, echo(t))
	conn := dial(t, p)
	const delay = 30 * time.Millisecond
	p.Delay(delay)
	start := time.Now()
	if err := roundTrip(t, conn, patience); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*delay {
		t.Errorf("a round trip took %v, less than twice %v", took, delay)
	}
}
