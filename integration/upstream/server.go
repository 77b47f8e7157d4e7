package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Server answers every request with 200 and the request's headers, one
// "Name: value" a line, and remembers the requests.
type Server struct {
	// Addr is "host:port", as reverse_proxy wants it.
	Addr string

	mu   sync.Mutex
	seen []Request
}

// Request is what reached the application.
type Request struct {
	Method, URI, Host string
	Header            http.Header
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	server := httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(server.Close)
	s.Addr = server.Listener.Addr().String()
	return s
}

// Requests returns what has reached the application so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// Last returns the latest request, and fails the test when there is none.
func (s *Server) Last(t testing.TB) Request {
	t.Helper()
	requests := s.Requests()
	if len(requests) == 0 {
		t.Fatal("no request reached the upstream")
	}
	return requests[len(requests)-1]
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, Request{Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header.Clone()})
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for name, values := range r.Header {
		for _, value := range values {
			_, _ = fmt.Fprintf(w, "%s: %s\n", name, value)
		}
	}
}
