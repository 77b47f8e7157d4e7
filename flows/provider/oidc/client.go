package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

const (
	// maxBody is the most that is read of any answer.
	maxBody = 1 << 20
	// maxHeader is the most that the headers of an answer may have.
	maxHeader = 64 << 10
)

// newClient is the given client, but it follows no redirect (a token endpoint
// that redirects would send the code and the secret elsewhere), keeps no cookie,
// and bounds time and size.
func newClient(given *http.Client) *http.Client {
	c := &http.Client{
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var transport http.RoundTripper
	if given != nil {
		transport = given.Transport
		if given.Timeout > 0 {
			c.Timeout = min(given.Timeout, fetchTimeout)
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
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	return resp, nil
}

func (t cappedTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// getJSON fetches a JSON document. An error says no more of the answer than
// its status. ErrUnavailable.
func (p *Provider) getJSON(ctx context.Context, url, bearer string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s answers %d", provider.ErrUnavailable, url, resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", provider.ErrUnavailable, url, err)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind == "application/jwt" || !json.Valid(body) {
		return nil, fmt.Errorf("%w: %s answers no JSON", provider.ErrUnavailable, url)
	}
	return body, nil
}

// printable is what of a provider's text may stand in an error or a log: one
// short line of ASCII.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 200)])
	return s
}
