package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// answer is a response that turns out to be an event stream, or not: a program
// may get one without having asked for it in Accept. A stream is ended when the
// session, or a token without one, is. For all others it costs next to nothing. It also keeps answers out
// of shared caches (RFC 9111, section 5.2.2.7) unless the app says otherwise.
type answer struct {
	caddyhttp.ResponseWriterWrapper
	app     *App
	gateway *flows.Gateway
	id      *identity.Identity
	looked  bool
	stream  *watchedAnswer // once it is one
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK {
		a.look()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	a.look()
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.look()
	return a.ResponseWriterWrapper.ReadFrom(r)
}

// Flush implements [http.Flusher], for handlers that ask for it without a
// [http.ResponseController].
func (a *answer) Flush() { _ = a.FlushError() }

// FlushError is what [http.ResponseController] prefers.
func (a *answer) FlushError() error {
	a.look()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// look finds out, once, whether the response is a stream.
func (a *answer) look() {
	if a.looked {
		return
	}
	a.looked = true
	h := a.Header()
	if _, told := h["Cache-Control"]; !told {
		// Shared caches keep by rules of their own (by file extension, say) what
		// says nothing: this is for one person. An app that says "public" means it.
		h["Cache-Control"] = []string{"private"}
	}
	types := h["Content-Type"]
	if len(types) == 0 || !isStream(types[0]) {
		return
	}
	s := &watchedAnswer{controller: http.NewResponseController(a.ResponseWriter)}
	s.release = a.app.watch(a.gateway, a.id, s.end)
	a.stream = s
}

func isStream(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	return strings.EqualFold(media, "text/event-stream") || len(media) >= len("application/grpc") &&
		strings.EqualFold(media[:len("application/grpc")], "application/grpc")
}

// finish is called when the handler has returned.
func (a *answer) finish() {
	if a.stream != nil {
		a.stream.finish()
	}
}

// watchedAnswer is an event stream under way.
type watchedAnswer struct {
	controller *http.ResponseController
	release    func()

	mu       sync.Mutex
	finished bool
}

// end breaks the stream off. The read deadline has net/http cancel an HTTP/1
// request; the write deadline resets an HTTP/2 stream.
func (s *watchedAnswer) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return // the connection may serve the next request by now
	}
	past := time.Unix(1, 0)
	_ = s.controller.SetWriteDeadline(past)
	_ = s.controller.SetReadDeadline(past)
}

func (s *watchedAnswer) finish() {
	s.mu.Lock()
	s.finished = true
	s.mu.Unlock()
	s.release()
}

// Interface guards
var (
	_ http.ResponseWriter = (*answer)(nil)
	_ io.ReaderFrom       = (*answer)(nil)
	_ http.Flusher        = (*answer)(nil)
)
