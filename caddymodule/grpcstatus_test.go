package caddymodule

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// grpcApp is an app that speaks HTTP/2 in clear, as gRPC servers do: /stream has
// begun to answer, /call has not.
func grpcApp(t *testing.T) (address string, seen <-chan struct{}) {
	t.Helper()
	requests := make(chan struct{}, 10)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- struct{}{}
		if r.URL.Path == "/stream" {
			w.Header().Set("Content-Type", "application/grpc")
			_, _ = w.Write([]byte{0, 0, 0, 0, 1, 'x'})
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetUnencryptedHTTP2(true)
	app.Start()
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://"), requests
}

// A client that reads INTERNAL tries again or alarms somebody; UNAUTHENTICATED has
// it sign in (gRPC status codes, and grpc-go's own of a stream that was reset).
func TestAnswer_OfGRPCEndsAsUnauthenticated(t *testing.T) {
	app, seen := grpcApp(t)
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n\treverse_proxy h2c://"+app+"\n}")
	front := r.fronts(t)["HTTP/2"]
	client := clientOf(front)
	for _, path := range []string{"/stream", "/call"} {
		t.Run(path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var request io.Reader = strings.NewReader("\x00\x00\x00\x00\x00")
			if !raceDetector {
				// A client that has not said all. Caddy's own reverse_proxy has a data
				// race when such a request is cancelled on its way to an HTTP/2
				// upstream (bodyNopCloserIfNotRead).
				request, _ = io.Pipe()
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://app.example.com"+path, request)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = r.sessionCookie("app.example.com", true)
			req.Header.Set("Content-Type", "application/grpc")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				select {
				case <-seen:
				case <-ctx.Done():
					t.Error("the app saw no request")
				}
				r.app.shared.flights.watchAll()
				if err := r.app.shared.sessions.End(context.WithoutCancel(ctx), r.newest()); err != nil {
					t.Error(err)
				}
			}()
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if _, err := io.ReadAll(res.Body); err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("broken off: %v", err)
			}
			<-ended
			if status := res.Header.Get("Grpc-Status") + res.Trailer.Get("Grpc-Status"); res.StatusCode != http.StatusOK || status != "16" {
				t.Errorf("HTTP %d, status %q, want 16: %v %v", res.StatusCode, status, res.Header, res.Trailer)
			}
			r.wantNothingHeld(t)
		})
	}
}
