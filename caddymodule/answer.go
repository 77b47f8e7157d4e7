package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// errEnded: the session, or a token without one, ended before the answer did.
var errEnded = errors.New("the answer was ended with its session")

// answer is the response to a request that a guard let pass. It ends when nobody
// would be let in by what let it begin: what vouches for it was revoked or has
// expired, or the policies say no. It also keeps answers out of shared caches
// (RFC 9111, section 5.2.2.7) unless the app says otherwise.
type answer struct {
	caddyhttp.ResponseWriterWrapper
	app     *App
	gateway *flows.Gateway
	id      *identity.Identity
	request *http.Request
	// cancel ends the request's context where the connection cannot.
	cancel context.CancelFunc
	upload *upload // its body, where that may be finished
	// uncounted: it is no use of the session, however long it runs.
	uncounted bool
	// fitting is what the guards add to the headers.
	fitting *fitting
	// serveStale is the shortest of its guards'; 0 if none has one.
	serveStale time.Duration
	grpc       bool
	begun      bool        // the handler's own
	over       atomic.Bool // it was ended from outside
	// sending: the handler waits for a client of gRPC to take something.
	sending atomic.Bool

	// The list of those under way; flightShard.mu guards it.
	shard        *flightShard
	next, prev   *answer
	met, watched bool

	mu       sync.Mutex
	finished bool     // the handler has returned
	hijacked net.Conn // once it is
	release  func()   // ends the watching
	deciders []policy.Decider
	judged   *identity.Identity // whom the deciders have seen
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.over.Load() {
		return // the reverse proxy says 499: that its client has left
	}
	if status >= http.StatusOK {
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	if a.over.Load() {
		return 0, errEnded
	}
	if a.grpc {
		a.sending.Store(true)
		defer a.sending.Store(false)
	}
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom]. What is below is given the whole of it in
// one call, so it must be able to break that off by itself: HTTP/3 can't.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.begin()
	if a.over.Load() {
		return 0, errEnded
	}
	if a.request.ProtoMajor > 2 {
		return io.Copy(struct{ io.Writer }{a}, r)
	}
	return a.ResponseWriterWrapper.ReadFrom(r)
}

// Flush implements [http.Flusher], for handlers that ask for it without a
// [http.ResponseController].
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is what [http.ResponseController] prefers.
func (a *answer) FlushError() error {
	if a.over.Load() {
		return errEnded
	}
	a.begin()
	if a.grpc {
		a.sending.Store(true)
		defer a.sending.Store(false)
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker].
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hijacked = conn
	if a.over.Load() {
		_ = conn.Close()
	}
	return conn, buffer, nil
}

// begin is called before anything of the response is sent.
func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	a.upload.answered()
	h := a.Header()
	if _, told := h["Cache-Control"]; !told {
		// Shared caches keep by rules of their own (by file extension, say) what
		// says nothing: this is for one person. An app that says "public" means it.
		h["Cache-Control"] = []string{"private"}
	}
	a.fitting.apply(h)
}

// watch has the answer ended when nothing vouches for it any longer.
func (a *answer) watch() {
	release := a.app.watch(a.gateway, a.id, !a.uncounted, a.end)
	a.mu.Lock()
	finished := a.finished
	a.release = release
	a.mu.Unlock()
	if finished {
		release()
	}
}

// end is called when nothing vouches for the answer any longer. An upload may go
// on for a while, where the guard says so.
func (a *answer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finished || a.over.Load() || a.upload.mayFinish(time.Now()) {
		return
	}
	a.breakOff()
}

// finish is called when the handler has returned, or panicked.
func (a *answer) finish() {
	if !a.remove() {
		return
	}
	a.mu.Lock()
	a.finished = true
	release := a.release
	a.mu.Unlock()
	if release != nil {
		release()
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*answer)(nil)
	_ io.ReaderFrom       = (*answer)(nil)
	_ http.Flusher        = (*answer)(nil)
	_ http.Hijacker       = (*answer)(nil)
)
