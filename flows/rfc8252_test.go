package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// RFC 9700, section 2.1, and RFC 8252, sections 7.1 and 7.3: the browser is sent
// to an address of the client's own to the byte, save the port of a loopback
// address. Anything else is a page, which does not repeat the address.
func TestRFC8252_RedirectURIs(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "many", Public: true, FirstParty: true, Scopes: []string{"openid"}, RedirectURIs: []string{
			"https://app.test/cb?a=1", "http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:4711/cb", "com.example.app:/cb",
		},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	b := w.signedInBrowser()
	ask := func(uri string) string {
		return w.portalURL() + "/authorize?" + authorizeParams("many", uri, "openid").Encode()
	}
	for _, uri := range []string{
		"https://app.test/cb?a=1", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://[::1]:4711/cb",
		"http://localhost:4711/cb", "com.example.app:/cb",
	} {
		to := b.getConsenting(ask(uri)).last.Header.Get("Location")
		rest, ok := strings.CutPrefix(to, uri)
		if !ok || rest == "" || strings.IndexAny(rest, "?&") != 0 || !strings.Contains(rest, "code=") {
			t.Errorf("%s: %d to %s", uri, b.last.StatusCode, to)
		}
		if h := b.last.Header; b.last.StatusCode != http.StatusSeeOther || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", uri, b.last.StatusCode, h)
		}
	}
	for _, uri := range []string{
		"x", "/cb", "//app.test/cb?a=1", "https:app.test/cb?a=1", "https:///app.test/cb?a=1", "https://evil.test/cb?a=1",
		"https://app.test.evil.test/cb?a=1", "https://evil.test/app.test/cb?a=1", "https://app.test@evil.test/cb?a=1", "https://x@app.test/cb?a=1",
		"https://x:y@app.test/cb?a=1", "https://evil.test\\@app.test/cb?a=1", "https://app.test\\cb?a=1", "https://evil.test#@app.test/cb?a=1",
		"https://app.test:443/cb?a=1", "https://app.test:8443/cb?a=1", "https://app.test/cb", "https://app.test/cb?a=1&b=2", "https://app.test/cb?a=1#",
		"https://app.test/cb?a=1#x", "https://app.test/cb/?a=1", "https://app.test/x/../cb?a=1", "https://app.test/./cb?a=1",
		"https://app.test/cb/..;/x?a=1", "https://app.test/%2e%2e/cb?a=1", "https://app.test/%63b?a=1", "https://app.test//cb?a=1",
		"https://app.test/cb?a=1 ", " https://app.test/cb?a=1", "https://app.test/cb?a=1\x00", "https://app.test/cb?a=1\r\nX: y",
		"HTTPS://app.test/cb?a=1", "https://APP.test/cb?a=1", "https://app.test/CB?a=1", "http://app.test/cb?a=1", "https://app.test./cb?a=1",
		"https://аpp.test/cb?a=1", "javascript:alert(1)//app.test/cb", "data:text/html,x",
		"http://127.0.0.1:/cb", "http://127.0.0.1:0x1/cb", "http://127.0.0.1:999999/cb", "http://127.0.0.1:-1/cb", "http://127.0.0.1:1/cb/",
		"http://127.0.0.1:1/other", "http://127.0.0.1:1/cb?x", "http://127.0.0.1:1/cb#x", "http://x@127.0.0.1:1/cb", "http://127.0.0.2:1/cb",
		"http://127.1:1/cb", "http://2130706433:1/cb", "http://0x7f.0.0.1:1/cb", "http://[::ffff:127.0.0.1]:1/cb", "http://[::1%25lo]:1/cb",
		"http://127.0.0.1.evil.test:1/cb", "http://127.0.0.1:1@evil.test/cb", "https://127.0.0.1:1/cb", "http://localhost:4712/cb",
		"http://localhost/cb", "com.example.app://cb", "com.example.app:/cb2", "com.example.app2:/cb", "https://app.test/" + strings.Repeat("x", 5000),
	} {
		got := w.send(http.MethodGet, ask(uri), "", "Accept: text/html")
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" || got.header.Get("Refresh") != "" {
			t.Errorf("%q: %d to %s %s", uri, got.status, got.header.Get("Location"), got.header.Get("Refresh"))
		}
		if strings.Contains(got.text, "evil.test") || strings.Contains(got.text, "app.test") {
			t.Errorf("%q: the page repeats an address", uri)
		}
	}
	// With several there is none to be implied.
	w.send(http.MethodGet, w.portalURL()+"/authorize?"+with(authorizeParams("many", "", "openid"), drop("redirect_uri")).Encode(), "").page(t, "none")
}

// page checks that a browser is told on a page, and not sent anywhere.
func (s said) page(t *testing.T, what string) {
	t.Helper()
	h := s.header
	if s.status != http.StatusBadRequest || h.Get("Location") != "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d to %q, Cache-Control %q", what, s.status, h.Get("Location"), h.Get("Cache-Control"))
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s: the page may be framed or tells its address: %v", what, h)
	}
}

// RFC 6749, section 4.1.3: a code is redeemed with the redirect URI that was
// asked for, and without one when none was.
func TestRFC8252_TheCodeIsOfItsRedirectURI(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	code := w.code(b, authorizeParams("native", "http://127.0.0.1:4711/cb", "openid"))
	form := with(redeem(code), set("client_id", "native"))
	for _, uri := range []string{"http://127.0.0.1:4712/cb", "http://127.0.0.1/cb", "com.example.app:/cb", ""} {
		w.call("token", with(form, set("redirect_uri", uri))).refused(t, uri, http.StatusBadRequest, "invalid_grant")
	}
	if got := w.call("token", with(form, set("redirect_uri", "http://127.0.0.1:4711/cb"))); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.text)
	}
	implied := w.code(b, with(authorizeParams("web", "", "openid"), drop("redirect_uri")))
	if got := w.call("token", with(redeem(implied), drop("redirect_uri")), basic("web")); got.status != http.StatusOK {
		t.Errorf("implied: %d %s", got.status, got.text)
	}
}

// Section 4.1.2.1: where the client or its address is missing, unknown or ambiguous,
// nobody is sent anywhere.
func TestRFC6749_AuthorizationRequestsThatLeadNowhere(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	good := authorizeParams("web", "https://web.test/cb", "openid")
	at := w.portalURL() + "/authorize"
	for _, name := range []string{"client_id", "redirect_uri", "request_uri"} {
		twice := with(good, func(v url.Values) { v[name] = []string{v.Get(name), v.Get(name)} }).Encode()
		w.send(http.MethodGet, at+"?"+twice, "", "Accept: text/html").page(t, name+" twice")
		w.send(http.MethodPost, at, twice, formType, "Accept: text/html").page(t, name+" twice in a form")
	}
	for name, change := range map[string]func(url.Values){
		"no client":               drop("client_id"),
		"an unknown client":       set("client_id", "nobody"),
		"a client in upper case":  set("client_id", "WEB"),
		"a client without codes":  set("client_id", "cli"),
		"an unknown request_uri":  set("request_uri", "urn:ietf:params:oauth:request_uri:x"),
		"a request_uri elsewhere": set("request_uri", "https://evil.test/request"),
	} {
		w.send(http.MethodGet, at+"?"+with(good, change).Encode(), "", "Accept: text/html").page(t, name)
	}
	w.send(http.MethodPost, at, "client_id=%zz", formType, "Accept: text/html").page(t, "a form that is none")
	w.send(http.MethodPost, at, good.Encode()+"&x="+strings.Repeat("x", 70_000), formType, "Accept: text/html").page(t, "a form without end")
	// A form is read from the body alone.
	w.send(http.MethodPost, at+"?"+good.Encode(), "", formType, "Accept: text/html").page(t, "a form in the URL")
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodHead} {
		if got := w.send(method, at+"?"+good.Encode(), ""); got.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, got.status)
		}
	}
}
