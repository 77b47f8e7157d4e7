package outbound

import (
	"net/http"
	"time"
)

const (
	// Timeout bounds each request, its answer included.
	Timeout = 10 * time.Second
	// MaxBody is the most bytes that are read of any answer.
	MaxBody = 1 << 20
	// maxHeader is the most that the headers of an answer may have.
	maxHeader = 64 << 10
)

// NewClient is the given client, nil for a new one, but it follows no redirect
// (a token endpoint that redirects would send the code and the secret
// elsewhere), keeps no cookie, and bounds time and size.
func NewClient(given *http.Client) *http.Client {
	c := &http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var transport http.RoundTripper
	if given != nil {
		transport = given.Transport
		if given.Timeout > 0 {
			c.Timeout = min(given.Timeout, Timeout)
		}
	}
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxResponseHeaderBytes = maxHeader
		transport = own
	}
	c.Transport = cappedTransport{transport}
	return c
}

type cappedTransport struct{ next http.RoundTripper }

func (t cappedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var a attempt
	resp, err := t.next.RoundTrip(a.watch(r))
	if err != nil {
		return nil, a.failed(err)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, MaxBody)
	return resp, nil
}

func (t cappedTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
