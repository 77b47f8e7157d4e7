package oauth_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestRefusal_RedirectURIs: the browser is never sent to an address that is not
// the client's own, byte for byte but for the port of a loopback address, and
// not even told of the fault there.
func TestRefusal_RedirectURIs(t *testing.T) {
	t.Parallel()
	w := start(t, "http", strings.Replace(webClient, "redirect_uri http://127.0.0.1/callback",
		"redirect_uri http://127.0.0.1/callback https://app.example/callback?a=1 http://localhost:4711/callback", 1))
	ask := func(uri string) answer {
		query := change(authorization("web"), func(q url.Values) { q.Set("redirect_uri", uri) })
		return w.send(t, http.MethodGet, w.issuer+"/authorize?"+query.Encode(), "", "Accept: text/html", "Sec-Fetch-Mode: navigate")
	}
	for _, uri := range []string{
		callback, "http://127.0.0.1/callback", "http://127.0.0.1:65535/callback", "https://app.example/callback?a=1", "http://localhost:4711/callback",
	} {
		if got := ask(uri); got.status != http.StatusOK {
			t.Errorf("%s: %d", uri, got.status)
		}
	}
	for _, uri := range []string{
		"", "x", "/callback", "//app.example/callback", "https:app.example/callback?a=1",
		"https://evil.example/callback?a=1", "https://app.example.evil.example/callback?a=1", "https://evil.example/app.example/callback?a=1",
		"https://app.example@evil.example/callback?a=1", "https://evil.example\\@app.example/callback?a=1", "https://evil.example#@app.example/callback?a=1",
		"https://app.example:443/callback?a=1", "https://app.example/callback", "https://app.example/callback?a=1&b=2", "https://app.example/callback?a=1#x",
		"https://app.example/callback/?a=1", "https://app.example/x/../callback?a=1", "https://app.example/callback/..;/x?a=1", "https://app.example/%63allback?a=1",
		"https://app.example/callback%3Fa=1", "https://app.example//callback?a=1", "https://app.example/callback?a=1 ", " https://app.example/callback?a=1",
		"https://app.example/callback?a=1\x00", "https://app.example/callback?a=1\r\nX: y", "https://app.example/callback?a=1%0d%0aX:%20y",
		"HTTPS://app.example/callback?a=1", "https://APP.example/callback?a=1", "https://app.example/Callback?a=1", "http://app.example/callback?a=1",
		"https://app.example./callback?a=1", "https://аpp.example/callback?a=1", "javascript:alert(1)//app.example/callback", "data:text/html,x",
		"http://127.0.0.1:0x1/callback", "http://127.0.0.1:/callback", "http://127.0.0.1:99999999/callback", "http://127.0.0.1:4711/callback/",
		"http://127.0.0.1:4711/other", "http://127.0.0.1:4711/callback?x", "http://127.0.0.1:4711/callback#x", "http://u@127.0.0.1:4711/callback",
		"http://127.0.0.2:4711/callback", "http://127.1:4711/callback", "http://2130706433:4711/callback", "http://0x7f.0.0.1:4711/callback",
		"http://[::1]:4711/callback", "http://[::ffff:127.0.0.1]:4711/callback", "http://127.0.0.1.evil.example:4711/callback",
		"http://127.0.0.1:4711@evil.example/callback", "https://127.0.0.1:4711/callback", "http://localhost:4712/callback", "http://localhost/callback",
		"https://app.example/" + strings.Repeat("x", 5000),
	} {
		got := ask(uri)
		if got.status != http.StatusBadRequest || got.header.Get("Location") != "" || got.header.Get("Refresh") != "" {
			t.Errorf("%q: %d to %s %s", uri, got.status, got.header.Get("Location"), got.header.Get("Refresh"))
		}
		if strings.Contains(got.body, "evil.example") {
			t.Errorf("%q: the page repeats the address", uri)
		}
	}
}

// TestRefusal_AuthorizationRequests: what is wrong with a request of a trusted
// redirect URI is told there, with iss and the state as it came.
func TestRefusal_AuthorizationRequests(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient, publicClient)
	set := func(name, value string) func(url.Values) { return func(q url.Values) { q.Set(name, value) } }
	drop := func(names ...string) func(url.Values) {
		return func(q url.Values) {
			maps.DeleteFunc(q, func(name string, _ []string) bool { return slices.Contains(names, name) })
		}
	}
	for name, c := range map[string]struct {
		client, code string
		change       func(url.Values)
	}{
		"implicit":                   {"web", "unsupported_response_type", set("response_type", "token")},
		"hybrid":                     {"web", "unsupported_response_type", set("response_type", "code id_token")},
		"an ID token at once":        {"web", "unsupported_response_type", set("response_type", "id_token")},
		"response type empty":        {"web", "invalid_request", set("response_type", "")},
		"a public client, no PKCE":   {"spa", "invalid_request", drop("code_challenge", "code_challenge_method")},
		"a method, no challenge":     {"web", "invalid_request", drop("code_challenge")},
		"challenge empty":            {"web", "invalid_request", set("code_challenge", "")},
		"challenge too short":        {"web", "invalid_request", set("code_challenge", "x")},
		"challenge with padding":     {"web", "invalid_request", set("code_challenge", strings.Repeat("A", 42)+"=")},
		"challenge too long":         {"web", "invalid_request", set("code_challenge", strings.Repeat("A", 44))},
		"method plain":               {"web", "invalid_request", set("code_challenge_method", "plain")},
		"method in lower case":       {"web", "invalid_request", set("code_challenge_method", "s256")},
		"no method":                  {"web", "invalid_request", drop("code_challenge_method")},
		"a scope of others":          {"web", "invalid_scope", set("scope", "admin")},
		"a scope in upper case":      {"web", "invalid_scope", set("scope", "OPENID")},
		"a malformed scope":          {"web", "invalid_scope", set("scope", "openid\\")},
		"a scope without end":        {"web", "invalid_scope", set("scope", strings.Repeat("openid ", 2000)+"openid")},
		"a relative resource":        {"web", "invalid_target", set("resource", "/api")},
		"a resource with a fragment": {"web", "invalid_target", set("resource", w.api+"#x")},
		"a resource of others":       {"web", "invalid_target", set("resource", "https://elsewhere.example")},
		"a resource with a user":     {"web", "invalid_target", set("resource", strings.Replace(w.api, "://", "://x@", 1))},
		"a resource that is empty":   {"web", "invalid_target", set("resource", "")},
		"many resources":             {"web", "invalid_target", func(q url.Values) { q["resource"] = strings.Fields(strings.Repeat(w.api+" ", 20)) }},
		"a request object":           {"web", "request_not_supported", set("request", "eyJhbGciOiJub25lIn0.e30.")},
		"an answer by form":          {"web", "invalid_request", set("response_mode", "form_post")},
		"an unknown prompt":          {"web", "invalid_request", set("prompt", "create")},
		"none and something":         {"web", "invalid_request", set("prompt", "none consent")},
		"none, and nobody there":     {"web", "login_required", set("prompt", "none")},
		"max_age is no number":       {"web", "invalid_request", set("max_age", "x")},
		"max_age below zero":         {"web", "invalid_request", set("max_age", "-1")},
		"max_age without end":        {"web", "invalid_request", set("max_age", strings.Repeat("9", 40))},
		"nonce too long":             {"web", "invalid_request", set("nonce", strings.Repeat("x", 600))},
		"login_hint too long":        {"web", "invalid_request", set("login_hint", strings.Repeat("x", 600))},
	} {
		query := change(authorization(c.client), c.change)
		got := w.send(t, http.MethodGet, w.issuer+"/authorize?"+query.Encode(), "")
		to, err := url.Parse(got.header.Get("Location"))
		if err != nil || got.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), callback+"?") {
			t.Errorf("%s: %d to %q", name, got.status, got.header.Get("Location"))
			continue
		}
		said := to.Query()
		if said.Get("error") != c.code || said.Get("state") != "s t/~=&" || said.Get("iss") != w.issuer || said.Has("code") {
			t.Errorf("%s: %v, want %s", name, said, c.code)
		}
	}
}

// TestRefusal_MalformedAuthorizationRequests: what is there twice, or cannot be read,
// is told the client as well (RFC 6749, section 4.1.2.1).
func TestRefusal_MalformedAuthorizationRequests(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient)
	good := authorization("web")
	for _, more := range []string{"scope=openid", "prompt=login&prompt=login", "prompt=login;", "nonce=%zz", ";", "x=%f", "state=x", "state=%zz"} {
		for _, got := range []answer{
			w.send(t, http.MethodGet, w.issuer+"/authorize?"+good.Encode()+"&"+more, ""),
			w.send(t, http.MethodPost, w.issuer+"/authorize", good.Encode()+"&"+more, "Content-Type: application/x-www-form-urlencoded"),
		} {
			to, err := url.Parse(got.header.Get("Location"))
			if err != nil || !strings.HasPrefix(to.String(), callback+"?") {
				t.Errorf("%s: %d to %q", more, got.status, got.header.Get("Location"))
				continue
			}
			state := good.Get("state")
			if more == "state=x" {
				state = "" // which of the two is not known
			}
			if said := to.Query(); said.Get("error") != "invalid_request" || said.Get("iss") != w.issuer || said.Get("state") != state {
				t.Errorf("%s: %v", more, said)
			}
		}
	}
}

// TestRefusal_AuthorizationRequestsThatLeadNowhere are answered by a page.
func TestRefusal_AuthorizationRequestsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	page := func(name, method, address, body string) {
		t.Helper()
		got := w.send(t, method, address, body, "Content-Type: application/x-www-form-urlencoded", "Accept: text/html", "Sec-Fetch-Mode: navigate")
		h := got.header
		if got.status != http.StatusBadRequest || h.Get("Location") != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d to %q, Cache-Control %q", name, got.status, h.Get("Location"), h.Get("Cache-Control"))
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: the page may be framed or tells its address: %v", name, h)
		}
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		for what, twice := range map[string]string{
			" twice":          change(authorization("web"), func(q url.Values) { q.Add(name, q.Get(name)) }).Encode(),
			" cannot be read": change(authorization("web"), func(q url.Values) { q.Del(name) }).Encode() + "&" + name + "=%zz",
		} {
			page(name+what, http.MethodGet, w.issuer+"/authorize?"+twice, "")
			page(name+what+" in a form", http.MethodPost, w.issuer+"/authorize", twice)
		}
	}
	for name, edit := range map[string]func(url.Values){
		"no client":                 func(q url.Values) { q.Del("client_id") },
		"an unknown client":         func(q url.Values) { q.Set("client_id", "nobody") },
		"a client without codes":    func(q url.Values) { q.Set("client_id", "cli") },
		"a client that must push":   func(q url.Values) { q.Set("client_id", "pushes") },
		"an unknown request_uri":    func(q url.Values) { q.Set("request_uri", "urn:ietf:params:oauth:request_uri:x") },
		"a request_uri that is one": func(q url.Values) { q.Set("request_uri", "http://127.0.0.1:1/request") },
		"an empty request_uri":      func(q url.Values) { q.Set("request_uri", "") },
	} {
		page(name, http.MethodGet, w.issuer+"/authorize?"+change(authorization("web"), edit).Encode(), "")
	}
	page("a form that is none", http.MethodPost, w.issuer+"/authorize", "client_id=%zz")
	page("a form without end", http.MethodPost, w.issuer+"/authorize", authorization("web").Encode()+"&x="+strings.Repeat("x", 70_000))
}

func TestRefusal_PushedRequests(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	web := basic("web", webSecret)
	push := func(edit func(url.Values), headers ...string) answer {
		return w.post(t, "par", change(authorization("web"), edit), headers...)
	}
	for name, c := range map[string]struct {
		code string
		edit func(url.Values)
	}{
		"a request_uri within":     {"invalid_request", func(q url.Values) { q.Set("request_uri", "urn:ietf:params:oauth:request_uri:x") }},
		"a request object":         {"invalid_request", func(q url.Values) { q.Set("request", "x") }},
		"another's redirect URI":   {"invalid_request", func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") }},
		"the redirect URI twice":   {"invalid_request", func(q url.Values) { q.Add("redirect_uri", callback) }},
		"the state twice":          {"invalid_request", func(q url.Values) { q.Add("state", "x") }},
		"another's client_id":      {"invalid_request", func(q url.Values) { q.Set("client_id", "other") }},
		"a scope of others":        {"invalid_scope", func(q url.Values) { q.Set("scope", "admin") }},
		"a resource of others":     {"invalid_target", func(q url.Values) { q.Set("resource", "https://elsewhere.example") }},
		"implicit":                 {"unsupported_response_type", func(q url.Values) { q.Set("response_type", "token") }},
		"more than can be kept":    {"invalid_request", func(q url.Values) { q.Set("x", strings.Repeat("x", 60_000)) }},
		"a proof key of no length": {"invalid_request", func(q url.Values) { q.Set("dpop_jkt", strings.Repeat("x", 65)) }},
	} {
		push(c.edit, web).want(t, name, http.StatusBadRequest, c.code)
	}
	push(func(url.Values) {}, web, "DPoP: x").want(t, "a proof that is none", http.StatusBadRequest, "invalid_dpop_proof")
	w.post(t, "token", url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "client_id": {"pushes"}}).
		want(t, "no proof where one is required", http.StatusBadRequest, "invalid_dpop_proof")

	got := push(func(url.Values) {}, web)
	uri := got.text("request_uri")
	if got.status != http.StatusCreated || len(uri) < len("urn:ietf:params:oauth:request_uri:")+22 || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("a push that is in order: %d %s", got.status, got.body)
	}
	for name, c := range map[string]struct{ client, uri string }{
		"cut short": {"web", uri[:len(uri)-1]}, "extended": {"web", uri + "A"}, "of another client": {"other", uri}, "without client": {"", uri},
		"in upper case": {"web", strings.ToUpper(uri)},
	} {
		query := url.Values{"client_id": {c.client}, "request_uri": {c.uri}}
		if got := w.send(t, http.MethodGet, w.issuer+"/authorize?"+query.Encode(), ""); got.status != http.StatusBadRequest || got.header.Get("Location") != "" {
			t.Errorf("a request_uri %s: %d to %s", name, got.status, got.header.Get("Location"))
		}
	}
	// None of these used it up; what the address adds does not count.
	to := w.alice(t).redirected(w.issuer + "/authorize?" + url.Values{"client_id": {"web"}, "request_uri": {uri}, "state": {"another"}, "scope": {"admin"}}.Encode())
	if to.Query().Get("code") == "" || to.Query().Get("state") != "s t/~=&" {
		t.Errorf("the pushed request leads to %s", to)
	}
}
