package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// EndlessKinds are the paths of [StartEndless] and the types of its answers, "" for
// none. Of /poll not even the header comes.
var EndlessKinds = map[string]string{
	"/events": "text/event-stream", "/ndjson": "application/x-ndjson", "/text": "text/plain", "/untold": "",
	"/big": "application/octet-stream", "/quiet": "text/plain", "/poll": "",
}

// StartEndless starts a server, which ends with the test, whose answers end only
// when their client does. They begin with "hello" and a line's end; then /quiet is
// silent. Other paths are answered at once. Each request is told on seen.
func StartEndless(t testing.TB) (addr string, seen <-chan struct{}) {
	t.Helper()
	requests := make(chan struct{}, 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- struct{}{}
		if r.URL.Path == "/poll" {
			<-r.Context().Done()
			return
		}
		kind, known := EndlessKinds[r.URL.Path]
		if !known {
			return
		}
		w.Header()["Content-Type"] = nil
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		if r.URL.Path == "/big" {
			w.Header().Set("Content-Length", "1000000000000")
		}
		_, _ = fmt.Fprint(w, "hello\n")
		_ = http.NewResponseController(w).Flush()
		for r.URL.Path != "/quiet" && r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), requests
}
