package caddymodule

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// serveStream passes a request on and ends it when its session, or a token
// without one, does.
func (g *Guard) serveStream(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, id *identity.Identity, next caddyhttp.Handler) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s := &stream{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, cancel: cancel}
	release := g.app.watch(gateway, id, s.end)
	defer release()
	return next.ServeHTTP(s, r.WithContext(ctx))
}

// watch has stop called when nothing vouches for a stream any longer. The stream
// may outlive this configuration; what is shared stays with it.
func (a *App) watch(gateway *flows.Gateway, id *identity.Identity, stop func()) (release func()) {
	if id.SessionID == uuid.Nil {
		return a.shared.bearers.watch(gateway, id, stop)
	}
	held := a.shared.hold()
	unwatch := a.shared.sessions.Watch(id.SessionID, stop)
	return func() {
		unwatch()
		held()
	}
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
