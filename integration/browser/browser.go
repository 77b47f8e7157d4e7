package browser

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// longestTrail is how many redirects a browser follows before it gives up.
const longestTrail = 20

// Options of a browser.
type Options struct {
	// Route says where to connect for "host:port"; nil: there.
	Route func(address string) string
	// RootCAs to trust; nil: the system's.
	RootCAs *x509.CertPool
	// Learn is told every secret that the browser meets; may be nil.
	Learn func(what, value string)
}

// Browser is one person's browser. It may be used by several goroutines, as
// tabs are.
type Browser struct {
	t      testing.TB
	client *http.Client
	jar    *cookiejar.Jar
	route  atomic.Pointer[func(string) string]
	stopAt atomic.Pointer[string]
	learn  func(what, value string)
}

// New returns a browser with an empty jar.
func New(t testing.TB, o Options) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, jar: jar, learn: o.Learn}
	if b.learn == nil {
		b.learn = func(_, _ string) {}
	}
	if o.Route != nil {
		b.route.Store(&o.Route)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: o.RootCAs},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if route := b.route.Load(); route != nil {
				address = (*route)(address)
			}
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 64,
	}
	b.client = &http.Client{
		Transport:     patient{transport},
		Jar:           jar,
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(transport.CloseIdleConnections)
	return b
}

// Via sends what follows another way, for instance to another node of a
// cluster.
func (b *Browser) Via(route func(address string) string) {
	b.route.Store(&route)
	b.client.CloseIdleConnections()
}

// Open navigates to an address and follows redirects.
func (b *Browser) Open(address string) *Page {
	b.t.Helper()
	return b.follow(b.request(http.MethodGet, address, nil))
}

// Step navigates to an address and follows no redirect.
func (b *Browser) Step(address string) *Page {
	b.t.Helper()
	return b.do(b.navigation(b.request(http.MethodGet, address, nil)))
}

// Fetch sends a request as a page's script does, follows no redirect, and adds
// the given headers ("Name: value").
func (b *Browser) Fetch(method, address string, headers ...string) *Page {
	b.t.Helper()
	r := b.request(method, address, nil)
	r.Header.Set("Accept", "*/*")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	addHeaders(r, headers)
	return b.do(r)
}

// Send sends a request with the browser's cookies, with nothing but the given
// headers, and follows no redirect.
func (b *Browser) Send(method, address string, headers ...string) *Page {
	b.t.Helper()
	r := b.request(method, address, nil)
	addHeaders(r, headers)
	return b.do(r)
}

// Post navigates to an address by a form on a page of the given origin, and
// follows redirects.
func (b *Browser) Post(address, origin string, form url.Values) *Page {
	b.t.Helper()
	for _, name := range []string{"password", "client_secret"} {
		b.learn(name, form.Get(name))
	}
	r := b.request(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	site := "cross-site"
	if origin == Origin(r.URL) {
		site = "same-origin"
	}
	r.Header.Set("Sec-Fetch-Site", site)
	return b.follow(r)
}

// Cookies are what the browser would send to an address.
func (b *Browser) Cookies(address string) []*http.Cookie {
	b.t.Helper()
	return b.jar.Cookies(b.parse(address))
}

// SetCookie puts a cookie into the jar.
func (b *Browser) SetCookie(address string, cookie *http.Cookie) {
	b.t.Helper()
	b.jar.SetCookies(b.parse(address), []*http.Cookie{cookie})
}

// Origin of an address: scheme, host and port.
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

func (b *Browser) parse(address string) *url.URL {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

func (b *Browser) request(method, address string, body io.Reader) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (test)")
	return r
}

func (b *Browser) navigation(r *http.Request) *http.Request {
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-User", "?1")
	if r.Header.Get("Sec-Fetch-Site") == "" {
		r.Header.Set("Sec-Fetch-Site", "none")
	}
	return r
}

// follow navigates and follows redirects as a browser does.
func (b *Browser) follow(r *http.Request) *Page {
	b.t.Helper()
	var trail []Hop
	for {
		page := b.do(b.navigation(r))
		trail = append(trail, page.Trail...)
		page.Trail = trail
		next := page.Next()
		if next == nil || b.stops(next) {
			return page
		}
		if len(trail) > longestTrail {
			b.t.Fatalf("the browser gave up after %d redirects:\n%s", len(trail), page.Path())
		}
		if page.Status == http.StatusTemporaryRedirect || page.Status == http.StatusPermanentRedirect {
			b.t.Fatalf("a redirect with status %d sends a form's body on to %s", page.Status, next.Host)
		}
		r = b.request(http.MethodGet, next.String(), nil)
	}
}

// StopAt makes the browser follow no redirect to an address whose path contains
// part; [Page.Next] of the last page is then that address. "" follows all.
func (b *Browser) StopAt(part string) { b.stopAt.Store(&part) }

func (b *Browser) stops(next *url.URL) bool {
	part := b.stopAt.Load()
	return part != nil && *part != "" && strings.Contains(next.Path, *part)
}

func (b *Browser) do(r *http.Request) *Page {
	b.t.Helper()
	b.learnQuery(r.URL)
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", r.Method, r.URL.Redacted(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		b.t.Fatalf("reading %s: %v", r.URL.Redacted(), err)
	}
	page := &Page{Status: resp.StatusCode, Header: resp.Header, URL: r.URL, Body: string(body)}
	page.Trail = []Hop{{Method: r.Method, URL: r.URL.String(), Status: resp.StatusCode, Cookies: resp.Cookies()}}
	b.learnAnswer(page, resp.Cookies())
	return page
}

func addHeaders(r *http.Request, headers []string) {
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		// Not Header.Add: some tests are about the spelling.
		r.Header[name] = append(r.Header[name], value)
	}
}
