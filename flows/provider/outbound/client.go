package outbound

import (
	"context"
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
// elsewhere), keeps no cookie, and bounds time and size. A new one connects to a
// private address only where the issuer is at one; issuer is its host, or "" where
// all hosts are the operator's choice.
func NewClient(given *http.Client, issuer string) *http.Client {
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
		if issuer != "" {
			own.DialContext = (&reach{home: issuer}).dial
		}
		transport = own
	}
	c.Transport = cappedTransport{transport}
	return c
}

type cappedTransport struct{ next http.RoundTripper }

func (t cappedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var a attempt
	r = a.watch(r.WithContext(context.WithValue(r.Context(), targetKey{}, r.URL.Hostname())))
	resp, err := t.next.RoundTrip(r)
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
