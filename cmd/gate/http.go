package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	// requestTimeout leaves room for three tries of a refresh within the 30
	// seconds in which an issuer answers a repeated refresh with the same token.
	requestTimeout = 8 * time.Second
	// maxAnswer that is read of any server.
	maxAnswer = 1 << 20
)

// newTransport reaches names below localhost without asking anybody where they
// are, and never through a proxy.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if isLoopback(r.URL.Hostname()) {
				return nil, nil
			}
			return http.ProxyFromEnvironment(r)
		},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil || !isLoopback(host) || net.ParseIP(host) != nil {
				return dialer.DialContext(ctx, network, address)
			}
			conn, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			if err != nil {
				return dialer.DialContext(ctx, network, net.JoinHostPort("::1", port))
			}
			return conn, nil
		},
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// browserless sends requests that follow no redirects: a secret goes where it
// was meant to go or nowhere.
type browserless struct{ client http.Client }

func newBrowserless(transport http.RoundTripper) *browserless {
	return &browserless{client: http.Client{
		Transport: transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// probe asks without reading the answer's body, which may be large or endless.
func (b *browserless) probe(ctx context.Context, address string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // as in get
	if err != nil {
		return reply{}, err
	}
	resp, err := b.send(req)
	if err != nil {
		return reply{}, err
	}
	_ = resp.Body.Close()
	return reply{status: resp.StatusCode, header: resp.Header}, nil
}

func (b *browserless) get(ctx context.Context, address, bearer string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // parseAddress has checked it
	if err != nil {
		return reply{}, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return b.do(req)
}

func (b *browserless) post(ctx context.Context, address string, form url.Values) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode())) //nolint:gosec // as in get
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *browserless) do(req *http.Request) (reply, error) {
	resp, err := b.send(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return reply{}, unreachable(req, err)
	}
	if len(body) > maxAnswer {
		return reply{}, fail(exitFailed, "", "the answer of %s is too large", req.URL.Host)
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

func (b *browserless) send(req *http.Request) (*http.Response, error) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "gate/"+version()+" ("+runtime.GOOS+")")
	resp, err := b.client.Do(req) //nolint:gosec // as in get
	if err != nil {
		return nil, unreachable(req, err)
	}
	return resp, nil
}

// unreachable is the error of a request that was not answered. The address is
// left out but for its host, and with it whatever a query holds.
func unreachable(req *http.Request, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return speaksHTTP(req.URL)
	}
	fix := "Check the address and the network, and try again."
	if strings.Contains(err.Error(), "x509: ") || strings.Contains(err.Error(), "tls: ") {
		fix = "If the site has a certificate of its own authority, let this machine trust that authority; on Linux also: SSL_CERT_FILE=root.crt gate …"
	}
	return &failure{code: exitUnreachable, fix: fix, err: &netError{host: req.URL.Host, err: err}}
}

// speaksHTTP is the error of an https address, or one without a scheme, behind
// which there is plain http. That is for this machine alone.
func speaksHTTP(address *url.URL) error {
	fix := "Only https is used, but for this machine. Check the port, or ask whoever runs the site for its https address."
	if isLoopback(address.Hostname()) {
		fix = "Write its address with http: http://" + address.Host
	}
	return fail(exitUnreachable, fix, "%s speaks http, not https", address.Host)
}

// netError is a request that got no answer; it may be tried again.
type netError struct {
	host string
	err  error
}

func (e *netError) Error() string { return "reaching " + e.host + ": " + e.err.Error() }
func (e *netError) Unwrap() error { return e.err }

// json decodes the answer of a 200.
func (r reply) json(from string, into any) error {
	switch {
	case r.status >= 500 || r.status == http.StatusTooManyRequests:
		return &failure{
			code: exitUnreachable, err: fmt.Errorf("%s answered %d", from, r.status),
			fix: "Try again in a moment.", after: r.retryAfter(),
		}
	case r.status >= 300 && r.status < 400:
		return fail(exitFailed, "Redirects are not followed here. If the site has moved, use its new address.",
			"%s answered %d, a redirect to %q", from, r.status, r.header.Get("Location"))
	case r.status != http.StatusOK:
		return fail(exitFailed, "", "%s answered %d", from, r.status)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return fail(exitFailed, "", "the answer of %s is not the JSON that was expected", from)
	}
	return nil
}

// retryAfter of an answer in seconds, if it names any.
func (r reply) retryAfter() time.Duration {
	n, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || n < 0 || n > 3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}
