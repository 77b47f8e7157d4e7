package caddymodule

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
)

// serveStream passes a request on and ends it when its session does.
func (g *Guard) serveStream(w http.ResponseWriter, r *http.Request, session uuid.UUID, next caddyhttp.Handler) error {
	if session == uuid.Nil {
		return next.ServeHTTP(w, r)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &stream{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, cancel: cancel}
	// The stream may outlive this configuration; what is shared stays with it.
	release := g.app.shared.hold()
	defer release()
	unwatch := g.app.shared.sessions.Watch(session, s.end)
	defer unwatch()
	return next.ServeHTTP(s, r.WithContext(ctx))
}

// stream is a response that can be ended from outside.
type stream struct {
	*caddyhttp.ResponseWriterWrapper
	cancel context.CancelFunc

	mu    sync.Mutex
	conn  net.Conn // once hijacked
	ended bool
}

// end cancels the request, and closes the connection that was hijacked from it.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.cancel()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// Hijack implements [http.Hijacker].
func (s *stream) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	if s.ended {
		_ = conn.Close()
	}
	return conn, buffer, nil
}

// Flush implements [http.Flusher].
func (s *stream) Flush() {
	_ = http.NewResponseController(s.ResponseWriter).Flush()
}

// FlushError is what [http.ResponseController] prefers.
func (s *stream) FlushError() error {
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// Interface guards
var (
	_ http.Hijacker = (*stream)(nil)
	_ http.Flusher  = (*stream)(nil)
)
