package faultproxy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Fault is what happens to a statement.
type Fault int

const (
	// Refuse cuts the connection before the server hears of the statement.
	Refuse Fault = iota
	// Lose passes the statement on, waits until the server has carried it out and
	// committed, and cuts the connection in place of its answer.
	Lose
	// Hold is Lose that cuts nothing: the answer comes once the proxy is healed.
	Hold
	// Pause passes the statement on once the proxy is healed.
	Pause
)

// Postgres forwards connections to a PostgreSQL server, without TLS, and knows the
// statements that pass.
type Postgres struct {
	*Proxy

	mu    sync.Mutex
	traps []*Trap
}

// Trap waits for a statement.
type Trap struct {
	statement string
	fault     Fault
	reached   chan struct{}

	mu     sync.Mutex
	left   int
	sprung int
}

// StartPostgres is [Start] for a PostgreSQL server.
func StartPostgres(t testing.TB, target string) *Postgres {
	t.Helper()
	p := &Postgres{}
	p.Proxy = start(t, target, p.forward)
	return p
}

// Set has a fault befall the next n statements that contain a text. It replaces what
// was set before.
func (p *Postgres) Set(n int, fault Fault, statement string) *Trap {
	trap := &Trap{statement: statement, fault: fault, left: n, reached: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = []*Trap{trap}
	return trap
}

// Sprung is how many statements were caught.
func (t *Trap) Sprung() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sprung
}

// Reached is closed when the fault has befallen a statement: with Lose and Hold, the
// server has carried it out.
func (t *Trap) Reached() <-chan struct{} { return t.reached }

func (t *Trap) catch(statement string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 || !strings.Contains(statement, t.statement) {
		return false
	}
	t.left--
	t.sprung++
	return true
}

func (t *Trap) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.reached:
	default:
		close(t.reached)
	}
}

func (p *Postgres) caught(statement string) *Trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, trap := range p.traps {
		if trap.catch(statement) {
			return trap
		}
	}
	return nil
}

// link is one connection: what is prepared in it, and what has befallen it.
type link struct {
	mu       sync.Mutex
	prepared map[string]string
	trap     *Trap
}

func (l *link) trapped() *Trap {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trap
}

// forward serves one connection of the proxy.
func (p *Postgres) forward(client, server net.Conn) {
	l := &link{prepared: map[string]string{}}
	var both sync.WaitGroup
	both.Go(func() {
		defer func() { _ = server.Close() }()
		p.requests(l, server, client)
	})
	both.Go(func() {
		defer func() { _ = client.Close() }()
		p.answers(l, client, server)
	})
	both.Wait()
}

// requests passes messages on from the client. The first are without a type; see
// "Message Formats" in PostgreSQL's manual.
func (p *Postgres) requests(l *link, server io.Writer, client io.Reader) {
	const version3 = 3 << 16
	for {
		message, err := read(client, 0)
		if err != nil || !p.pass(server, message) {
			return
		}
		if len(message) >= 8 && binary.BigEndian.Uint32(message[4:])>>16 == version3>>16 {
			break
		}
	}
	for {
		message, err := read(client, 1)
		if err != nil {
			return
		}
		if trap := p.caught(l.statement(message)); trap != nil {
			switch trap.fault {
			case Refuse:
				trap.done()
				return
			case Pause:
				p.Blackhole()
				trap.done()
			case Lose, Hold:
				l.mu.Lock()
				l.trap = trap
				l.mu.Unlock()
			}
		}
		if !p.pass(server, message) {
			return
		}
	}
}

// statement is what a message has the server carry out, or "".
func (l *link) statement(message []byte) string {
	parts := strings.SplitN(string(message[5:]), "\x00", 3)
	if len(parts) < 2 {
		return ""
	}
	switch message[0] {
	case 'Q':
		return parts[0]
	case 'P':
		l.prepared[parts[0]] = parts[1]
	case 'B':
		return l.prepared[parts[1]]
	}
	return ""
}

// answers passes bytes on from the server, until one is caught.
func (p *Postgres) answers(l *link, client io.Writer, server io.Reader) {
	buffer := make([]byte, 32<<10)
	var held []byte // of the answer that is caught
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		trap := l.trapped()
		if trap == nil {
			if !p.pass(client, buffer[:n]) {
				return
			}
			continue
		}
		held = append(held, buffer[:n]...)
		if !isReady(held) {
			continue
		}
		if trap.fault == Lose {
			trap.done()
			return
		}
		p.Blackhole()
		trap.done()
		if !p.pass(client, held) { // once it is healed
			return
		}
		held = nil
		l.mu.Lock()
		l.trap = nil
		l.mu.Unlock()
	}
}

// isReady reports whether an answer ends with ReadyForQuery: what was asked for is
// carried out, and committed unless it was in a transaction of several statements.
func isReady(answer []byte) bool {
	return len(answer) >= 6 && bytes.Equal(answer[len(answer)-6:len(answer)-1], []byte{'Z', 0, 0, 0, 5})
}

// pass writes what is passed on, as the proxy is told to.
func (p *Postgres) pass(to io.Writer, data []byte) bool {
	p.Proxy.wait()
	_, err := to.Write(data)
	return err == nil
}

var errMessage = errors.New("a message is malformed")

// read reads a message whose length comes after that many bytes.
func read(from io.Reader, before int) ([]byte, error) {
	const largest = 64 << 20
	head := make([]byte, before+4)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[before:]))
	if size < 4 || size > largest {
		return nil, errMessage
	}
	message := append(head, make([]byte, size-4)...)
	_, err := io.ReadFull(from, message[before+4:])
	return message, err
}
