package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// raw opens an address as it is, which net/url would write differently.
func (b *browser) raw(base, target string) *browser {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, base, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.URL.Opaque = target
	req.URL.Path, _, _ = strings.Cut(target, "?") // for the cookies
	return b.do(req)
}

// TestReturnTo_TheVeryAddress: oauth2-proxy#786, envoy#23167. A sign-in leads back to
// the very address, as Grafana, Kibana and Windows paths have them: long, with
// backslashes in the query, or with letters that nobody has escaped.
func TestReturnTo_TheVeryAddress(t *testing.T) {
	long := "/explore?panes=" + strings.Repeat("%7B%22a%22%3A1%7D,", 180)
	longest := "/" + strings.Repeat("a/", 2047) + "?q=" + strings.Repeat("x", 8192-4095-3)
	quotes := "/q?" + strings.Repeat(`"\`, 2000)
	for _, to := range []struct{ asked, want string }{
		{`/q?path=C:\Users\a`, `/q?path=C:\Users\a`},
		{`/q?\\evil.test`, `/q?\\evil.test`},
		{"/caf\u00e9/?q=\u20ac", "/caf%C3%A9/?q=%E2%82%AC"},
		{"/q?q=\xff", "/q?q=%FF"},
		{long, long},
		{longest, longest},
		{quotes, quotes},
	} {
		for name, open := range returnWorlds(t) {
			t.Run(name, func(t *testing.T) {
				w, signIn := open()
				b := newBrowser(t)
				b.raw(w.siteURL("app"), to.asked)
				signIn(b)
				if got := b.last.Request.URL.RequestURI(); b.last.StatusCode != http.StatusOK || !strings.Contains(b.body, "hello alice") || unspelt(got) != unspelt(to.want) {
					t.Errorf("asked for %.80q, landed on %.80q with %d\n%.300s", to.asked, got, b.last.StatusCode, b.body)
				}
			})
		}
	}
}

// unspelt undoes what net/http's client does to a query.
func unspelt(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// returnWorlds are ways to sign in.
func returnWorlds(t *testing.T) map[string]func() (*world, func(*browser)) {
	t.Helper()
	password := func(b *browser) { b.signIn("alice", "wonderland") }
	atProvider := func(portal bool) func() (*world, func(*browser)) {
		return func() (*world, func(*browser)) {
			_, rp := twoWorldsWith(t, worldOptions{portal: portal})
			return rp, password
		}
	}
	atPassword := func(portal bool) func() (*world, func(*browser)) {
		return func() (*world, func(*browser)) { return newWorld(t, worldOptions{portal: portal}), password }
	}
	return map[string]func() (*world, func(*browser)){
		"password, single site": atPassword(false), "password, portal": atPassword(true),
		"provider, single site": atProvider(false), "provider, portal": atProvider(true),
	}
}

// What is longer than 8 KiB cannot be come back to. That is said before, not left to be
// noticed.
func TestReturnTo_TooLong(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/?q="+strings.Repeat("x", 8192)).want(http.StatusRequestURITooLong, "too long to come back to")
	b.follow("Sign in").signIn("alice", "wonderland").want(http.StatusOK, "hello alice at /")
	b.get(w.siteURL("app")+"/?q="+strings.Repeat("x", 8192)).want(http.StatusOK, "hello alice at /?q=xxx")
}

// A backslash in a path is a slash to browsers.
func TestReturnTo_BackslashInThePath(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, to := range []string{`/\evil.test`, `/\/evil.test`, `/a\..\..\evil.test`} {
		b := newBrowser(t)
		b.get(w.siteURL("app") + "/.gatehouse/login?return_to=" + url.QueryEscape(to))
		b.signIn("alice", "wonderland").want(http.StatusOK, "hello alice at /")
		if b.last.Request.URL.RequestURI() != "/" {
			t.Errorf("%s leads to %s", to, b.last.Request.URL)
		}
	}
}
