package postgres_test

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wire is a proxy in front of the database that counts round trips: how often
// the client sends after the server did.
type wire struct {
	address  string
	trips    atomic.Int64
	conns    atomic.Int64
	silent   atomic.Bool // what is sent is lost, and its connection with it afterwards
	question atomic.Bool // the next that the client sends is lost so, once
	answer   atomic.Bool // the next that the server sends is
	listener net.Listener
	open     sync.WaitGroup
}

// listen starts a wire to the database at a URL, and returns it with the URL
// that goes through it.
func listen(t testing.TB, database string) (*wire, string) {
	t.Helper()
	target, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: target.Host, listener: listener}
	w.open.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.open.Wait()
	})
	target.Host = listener.Addr().String()
	return w, target.String()
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.conns.Add(1)
		server, err := net.Dial("tcp", w.address)
		if err != nil {
			_ = client.Close()
			continue
		}
		var sent atomic.Bool // the client's bytes were the last to pass
		w.open.Go(func() {
			w.pass(server, client, &w.question, func() {
				if !sent.Swap(true) {
					w.trips.Add(1)
				}
			})
		})
		w.open.Go(func() { w.pass(client, server, &w.answer, func() { sent.Store(false) }) })
	}
}

// pass copies, and tells of each piece before it goes on.
func (w *wire) pass(to, from net.Conn, lose *atomic.Bool, tell func()) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && w.silent.Load() {
			for w.silent.Load() {
				time.Sleep(5 * time.Millisecond) // until the test lets it speak again
			}
			return
		}
		if n > 0 && lose.CompareAndSwap(true, false) {
			return
		}
		if n > 0 {
			tell()
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
