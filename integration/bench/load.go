package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Target is a server under load: requests that are sent in turns, over and over, on a
// fixed number of connections that stay open.
type Target struct {
	requests [][]byte
	next     atomic.Uint64
	conns    []*client
}

type client struct {
	net.Conn
	reader *bufio.Reader
}

// Open connects n times to address. Every answer must have status 200.
func Open(ctx context.Context, address string, requests [][]byte, n int) (*Target, error) {
	t := &Target{requests: requests}
	var d net.Dialer
	for range n {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connecting to the gateway: %w", err), t.Close())
		}
		t.conns = append(t.conns, &client{Conn: conn, reader: bufio.NewReaderSize(conn, 8<<10)})
	}
	return t, nil
}

// Run sends requests for d on all connections and returns how many were
// answered.
func (t *Target) Run(d time.Duration) (int, error) {
	deadline := time.Now().Add(d)
	return t.run(func(uint64) bool { return time.Now().Before(deadline) })
}

// RunAll sends each request once.
func (t *Target) RunAll() error {
	t.next.Store(0)
	_, err := t.run(func(sent uint64) bool { return sent < uint64(len(t.requests)) })
	return err
}

// run sends requests as long as there is more to be done after so many.
func (t *Target) run(more func(sent uint64) bool) (int, error) {
	var (
		answered atomic.Int64
		failure  atomic.Pointer[error]
		done     sync.WaitGroup
	)
	for _, c := range t.conns {
		done.Go(func() {
			for sent := t.next.Add(1) - 1; more(sent); sent = t.next.Add(1) - 1 {
				if err := c.roundTrip(t.requests[sent%uint64(len(t.requests))]); err != nil {
					failure.Store(&err)
					return
				}
				answered.Add(1)
			}
		})
	}
	done.Wait()
	if err := failure.Load(); err != nil {
		return 0, *err
	}
	return int(answered.Load()), nil
}

// Close closes the connections.
func (t *Target) Close() error {
	var errs []error
	for _, c := range t.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

var (
	statusOK      = []byte("HTTP/1.1 200 ")
	contentLength = []byte("Content-Length: ")
)

// roundTrip sends the request and reads the answer, which has a length.
func (c *client) roundTrip(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	if !bytes.HasPrefix(line, statusOK) {
		return fmt.Errorf("the answer is %q", bytes.TrimSpace(line))
	}
	length := 0
	for len(bytes.TrimSpace(line)) > 0 {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		if value, found := bytes.CutPrefix(line, contentLength); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return fmt.Errorf("reading an answer: %w", err)
			}
		}
	}
	_, err = c.reader.Discard(length)
	return err
}

// Upstream starts the cheapest server that there can be: it answers every
// request without a body with the same bytes. It ends with ctx.
func Upstream(ctx context.Context) (address string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return listener.Addr().String(), nil
}

func answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	const reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
	reader := bufio.NewReaderSize(conn, 8<<10)
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(bytes.TrimSpace(line)) > 0 {
			continue
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}
