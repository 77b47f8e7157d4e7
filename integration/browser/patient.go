package browser

import (
	"errors"
	"io"
	"net/http"
	"syscall"
)

// patient repeats a request whose connection was dropped before an answer: when a
// configuration is loaded, Caddy closes its former listener with the connections
// that wait in that one's queue. People press reload then.
type patient struct{ *http.Transport }

// tries of one request.
const tries = 4

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for left := tries; ; left-- {
		resp, err := p.Transport.RoundTrip(r)
		dropped := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
		if !dropped || left == 1 || r.Body != nil && r.GetBody == nil {
			return resp, err
		}
		again := r.Clone(r.Context())
		if r.GetBody != nil {
			if again.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		r = again
	}
}
