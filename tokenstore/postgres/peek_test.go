//go:build unix

package postgres

import (
	"net"
	"testing"
	"time"
)

// TestPeekDoesNotWaitForAReader: pgx leaves a read pending in the background
// after a slow write.
func TestPeekDoesNotWaitForAReader(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if hasInput(client) {
		t.Error("an idle connection has input")
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = client.Read(make([]byte, 1))
	}()
	peeked := make(chan bool)
	go func() {
		for range 100 { // some of them while the reader waits
			hasInput(client)
		}
		peeked <- hasInput(client)
	}()
	select {
	case <-peeked:
	case <-time.After(time.Minute):
		t.Error("peeking waits for the reader")
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-read
	if !hasInput(client) {
		t.Error("a connection that the other side closed is taken for a good one")
	}
	_ = client.Close()
}
