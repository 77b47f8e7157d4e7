package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// Options of a client.
type Options struct {
	// Client whose transport is used. Default: a new one.
	Client *http.Client
	// Issuer is the provider's host. A new transport connects to a private address
	// only where the issuer is at one; "" where all hosts are the operator's choice.
	Issuer string
	// Trusted are further hosts that the operator has chosen, wherever they are.
	Trusted []string
	// RootCAs verify the certificates, in a new transport. Default: the system's.
	RootCAs *x509.CertPool
}

// NewClient makes a client that follows no redirect (a token endpoint that redirects
// would send the code and the secret elsewhere), keeps no cookie, and bounds time and
// size.
func NewClient(o Options) *http.Client {
	c := &http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var transport http.RoundTripper
	var r *reach
	if o.Client != nil {
		transport = o.Client.Transport
		if o.Client.Timeout > 0 {
			c.Timeout = min(o.Client.Timeout, Timeout)
		}
	}
	if transport == nil {
		if o.Issuer != "" {
			r = newReach(o)
		}
		transport = newTransport(o, r)
	}
	c.Transport = cappedTransport{next: transport, reach: r}
	return c
}

func newTransport(o Options, r *reach) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes = maxHeader
	if r != nil {
		t.DialContext = r.dial
	}
	if o.RootCAs != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}
	}
	return t
}

type cappedTransport struct {
	next  http.RoundTripper
	reach *reach // nil where all hosts are the operator's choice
}

func (t cappedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var a attempt
	r = a.watch(r.WithContext(context.WithValue(r.Context(), targetKey{}, canonical(r.URL.Hostname()))))
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, a.failed(err)
	}
	if conn := a.conn.Load(); conn != nil && t.reach != nil {
		t.reach.learn(*conn)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, MaxBody)
	return resp, nil
}

func (t cappedTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
