package outbound_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// TestUnsent: only what failed before the request could be written has certainly
// spent nothing.
func TestUnsent(t *testing.T) {
	t.Parallel()
	hangUp := func(read bool) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				if read {
					_, _ = conn.Read(make([]byte, 4096))
				}
				_ = conn.Close()
			}
		}()
		return l.Addr().String()
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewTLSServer(nil)
	t.Cleanup(untrusted.Close)
	for name, tt := range map[string]struct {
		url    string
		unsent bool
	}{
		"nothing listens":               {closed.URL, true},
		"a certificate of somebody":     {untrusted.URL, true},
		"ended during the handshake":    {"https://" + hangUp(true), true},
		"ended after the request":       {"http://" + hangUp(true), false},
		"ended, perhaps before it":      {"http://" + hangUp(false), false},
		"a transport that tells naught": {"mute://x", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := &http.Transport{}
			transport.RegisterProtocol("mute", mute{})
			defer transport.CloseIdleConnections()
			client := outbound.NewClient(outbound.Options{Client: &http.Client{Transport: transport}})
			resp, err := client.Post(tt.url, "text/plain", strings.NewReader("x"))
			if err == nil {
				_ = resp.Body.Close()
				t.Fatal("answered")
			}
			if got := errors.Is(err, provider.ErrNotSpent); got != tt.unsent {
				t.Errorf("not spent: %t, want %t: %v", got, tt.unsent, err)
			}
		})
	}
}

type mute struct{}

func (mute) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("no") }

func TestIsUnspent(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{200: true, 302: true, 400: true, 401: true, 429: true, 500: false, 502: false, 503: false, 504: false} {
		if got := outbound.IsUnspent(status); got != want {
			t.Errorf("IsUnspent(%d) = %t", status, got)
		}
	}
}
