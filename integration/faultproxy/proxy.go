package faultproxy

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy forwards TCP connections to one address until it is told to misbehave.
// Its methods may be called at any time and count for open connections too.
type Proxy struct {
	target   string
	listener net.Listener
	forward  func(client, server net.Conn) // until both are closed
	done     sync.WaitGroup
	sent     atomic.Int64

	mu      sync.Mutex
	delay   time.Duration
	refuse  bool
	silent  chan struct{} // closed: bytes flow; open: they are held back
	streams map[net.Conn]struct{}
}

// Start starts a proxy to target ("host:port") that ends with the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	return start(t, target, nil)
}

func start(t testing.TB, target string, forward func(client, server net.Conn)) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	p := &Proxy{target: target, listener: listener, forward: forward, silent: make(chan struct{}), streams: map[net.Conn]struct{}{}}
	if p.forward == nil {
		p.forward = p.pumpBoth
	}
	close(p.silent)
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Heal()
		p.dropAll()
		p.done.Wait()
	})
	return p
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Sent is how many pieces have come from clients so far. Who waits for each answer
// sends one for each question.
func (p *Proxy) Sent() int64 { return p.sent.Load() }

// Delay holds every chunk of bytes back for d, in each direction.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Cut ends all connections and new ones as soon as they are made.
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.dropAll()
}

// Blackhole accepts connections and swallows what is sent, as a firewall that
// drops packets does.
func (p *Proxy) Blackhole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.silent:
		p.silent = make(chan struct{})
	default:
	}
}

// Heal makes the proxy behave again. What was held back is delivered.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.refuse = 0, false
	select {
	case <-p.silent:
	default:
		close(p.silent)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.done.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(server) {
		return
	}
	p.forward(client, server)
}

func (p *Proxy) pumpBoth(client, server net.Conn) {
	p.done.Go(func() {
		defer p.drop(client)
		p.pump(server, client, &p.sent)
	})
	p.pump(client, server, new(atomic.Int64))
}

func (p *Proxy) pump(dst, src net.Conn, pieces *atomic.Int64) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := src.Read(buffer)
		if err != nil {
			_ = dst.Close()
			return
		}
		pieces.Add(1)
		p.wait()
		if _, err := dst.Write(buffer[:n]); err != nil {
			_ = src.Close()
			return
		}
	}
}

// wait waits as the proxy is told to.
func (p *Proxy) wait() {
	p.mu.Lock()
	delay, silent := p.delay, p.silent
	p.mu.Unlock()
	<-silent
	if delay > 0 {
		time.Sleep(delay)
	}
}

// keep remembers a connection; false when connections are refused.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[c] = struct{}{}
	return !p.refuse
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	delete(p.streams, c)
	p.mu.Unlock()
	_ = c.Close()
}

func (p *Proxy) dropAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.streams {
		_ = c.Close()
	}
}
