package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// raw writes one parameter into a query as it is, in place of what was there.
func raw(query url.Values, name, written string) string {
	return with(query, drop(name)).Encode() + "&" + written
}

// RFC 6749, section 4.1.2.1: a request of which one parameter cannot be read is
// malformed. Served without it, it would be another: a scope that is lost asks for
// all, a prompt that is lost for no new sign-in, a challenge that is lost for no PKCE.
func TestRFC6749_MalformedAuthorizationRequests(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid")
	ask := func(method, query string) *browser {
		t.Helper()
		if method == http.MethodGet {
			return b.get(w.portalURL() + "/authorize?" + query)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, w.portalURL()+"/authorize", strings.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.do(req)
	}
	state := params.Get("state")
	for written, c := range map[string]struct{ name, state string }{
		"scope=openid;":            {"scope", state},
		"scope=openid%zz":          {"scope", state},
		"prompt=login;":            {"prompt", state},
		"max_age=0;prompt=login":   {"max_age", state},
		"code_challenge=%zz":       {"code_challenge", state},
		"nonce=%":                  {"nonce", state},
		"state=%zz":                {"state", ""},
		"state=a;b":                {"state", ""},
		"st%zzte=x":                {"state", ""},
		";":                        {"", state},
		"nobody-knows-this=%f":     {"", state},
		"resource=https://a.test;": {"resource", state},
	} {
		query := raw(with(params, drop("code_challenge", "code_challenge_method")), c.name, written)
		if c.name == "state" || c.name == "" {
			query = raw(params, c.name, written)
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := ask(method, query)
			to, _ := url.Parse(got.last.Header.Get("Location"))
			if answer := to.Query(); to.Host != "web.test" || answer.Get("error") != "invalid_request" ||
				answer.Get("iss") != w.portalURL() || answer.Get("state") != c.state || answer.Has("code") {
				t.Errorf("%s %s: %d to %s", method, written, got.last.StatusCode, to)
			}
		}
	}
	// Where it is the client or its address that cannot be read, nobody is sent there.
	// One that seems to be left out may be the very one.
	for written, name := range map[string]string{
		"client_id=web;": "client_id", "client_id=web%zz": "client_id", "redirect_uri=https://web.test/cb;": "redirect_uri",
		"redirect_uri=https://web.test/cb%zz": "redirect_uri", "scope=%zz": "redirect_uri",
		"redirect_uri=https://evil.test/&x=;": "redirect_uri", "client_id=nobody&x=;": "client_id",
		"client_id=web&client_id=web&x=;": "client_id", "request_uri=x&x=;": "x",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := ask(method, raw(params, name, written))
			if to := got.last.Header.Get("Location"); got.last.StatusCode != http.StatusBadRequest || to != "" {
				t.Errorf("%s %s: %d to %q", method, written, got.last.StatusCode, to)
			}
		}
	}
}

// A state comes back byte for byte, after whatever way the request took. What is no
// text could not: it is refused by each, and not repeated.
func TestRFC6749_StateComesBackByteForByte(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid")
	all := "ä\u2028\U0001f511"
	for c := range rune(0x80) {
		all += string(c)
	}
	if got := w.toClient(b, with(params, set("state", all))); got.Get("code") == "" || got.Get("state") != all {
		t.Errorf("all that there is: %v", got)
	}
	stranger := newBrowser(t).held()
	w.toClient(stranger, with(params, set("state", all)))
	if got := stranger.signIn("alice", "wonderland").arrived(); got.Get("code") == "" || got.Get("state") != all {
		t.Errorf("all that there is, after a sign-in: %v", got)
	}
	for _, bad := range []string{"\xff", "a\xc3", "\xed\xa0\x80"} {
		asked := with(params, set("state", bad))
		for who, by := range map[string]*browser{"signed in": b, "a stranger": newBrowser(t).held()} {
			got := w.toClient(by, asked)
			if got.Get("error") != "invalid_request" || got.Has("state") || got.Get("iss") != w.portalURL() || !describes(got.Get("error_description")) {
				t.Errorf("%q, %s: %d %v", bad, who, by.last.StatusCode, got)
			}
		}
		w.call("par", asked, basic("web")).refused(t, "a pushed request", http.StatusBadRequest, "invalid_request")
		// Nor where something else is wrong.
		for _, more := range []string{"&x=%zz", "&scope=openid", "&response_type=token"} {
			b.get(w.portalURL() + "/authorize?" + asked.Encode() + more)
			if got := b.arrived(); got.Get("error") != "invalid_request" || got.Has("state") {
				t.Errorf("%q%s: %v", bad, more, got)
			}
		}
	}
}

// The same holds for a parameter that occurs twice (section 3.1).
func TestRFC6749_RepeatedParametersAreTheClientsToKnow(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid")
	for _, name := range []string{
		"response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age",
		"login_hint", "acr_values", "request", "response_mode", "dpop_jkt", "claims", "id_token_hint", "provider",
	} {
		for what, asked := range map[string]url.Values{"": params, ", its redirect URI left out": with(params, drop("redirect_uri"))} {
			asked = with(asked, set(name, params.Get(name), params.Get(name)))
			state := params.Get("state")
			if name == "state" {
				state = ""
			}
			b.get(w.portalURL() + "/authorize?" + asked.Encode())
			if got := b.arrived(); got.Get("error") != "invalid_request" || got.Get("state") != state || got.Get("iss") != w.portalURL() {
				t.Errorf("%s%s: %d %v", name, what, b.last.StatusCode, got)
			}
		}
	}
	for name, change := range map[string]func(url.Values){
		"the client":               set("client_id", "web", "web"),
		"the address":              set("redirect_uri", "https://web.test/cb", "https://web.test/cb"),
		"the address, another":     set("redirect_uri", "https://web.test/cb", "https://evil.test/"),
		"another's address":        func(v url.Values) { v.Set("redirect_uri", "https://evil.test/"); v.Add("state", "x") },
		"of an unknown client":     func(v url.Values) { v.Set("client_id", "nobody"); v.Add("state", "x") },
		"a pushed request":         func(v url.Values) { v.Set("request_uri", requestURI+"x"); v.Add("state", "x") },
		"a pushed request's place": set("request_uri", requestURI+"x", requestURI+"x"),
	} {
		w.send(http.MethodGet, w.portalURL()+"/authorize?"+with(params, change).Encode(), "", "Accept: text/html").page(t, name)
	}
}

// Of a client with one redirect URI, too, which may leave it out.
func TestRFC6749_MalformedWithAnImpliedRedirectURI(t *testing.T) {
	one := &client.Client{ID: "one", Public: true, FirstParty: true, RedirectURIs: []string{"https://one.test/cb"}}
	w := newWorld(t, worldOptions{portal: true, clients: []*client.Client{one}})
	params := authorizeParams("one", "https://one.test/cb", "openid")
	w.send(http.MethodGet, w.portalURL()+"/authorize?"+raw(params, "redirect_uri", "redirect_uri=%zz"), "", "Accept: text/html").page(t, "an address that cannot be read")
}

// Every other endpoint that reads parameters refuses what it cannot read, in its
// own way.
func TestMalformedParametersAreRefusedEverywhere(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	for _, bad := range []string{"x=%zz", "x=1;y=2", ";"} {
		for _, endpoint := range []string{"token", "revoke", "introspect", "par", "device_authorization"} {
			form := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}.Encode()
			w.send(http.MethodPost, w.portalURL()+"/"+endpoint, form+"&"+bad, formType, basic("web")).
				refused(t, bad+" in the body at "+endpoint, http.StatusBadRequest, "invalid_request")
			w.send(http.MethodPost, w.portalURL()+"/"+endpoint+"?"+bad, form, formType, basic("web")).
				refused(t, bad+" in the URL at "+endpoint, http.StatusBadRequest, "invalid_request")
		}
		for _, address := range []string{
			w.portalURL() + "/?", w.portalURL() + "/logout?", w.portalURL() + "/signin?", w.portalURL() + "/device?",
			w.siteURL("one") + "/.gatehouse/login?", w.siteURL("one") + "/.gatehouse/logout?", w.siteURL("one") + "/.gatehouse/callback?",
		} {
			b.get(address+bad).want(http.StatusBadRequest, "cannot be read")
		}
		for _, address := range []string{
			w.portalURL() + "/", w.portalURL() + "/logout", w.portalURL() + "/login", w.portalURL() + "/device", w.portalURL() + "/device/decide",
			w.portalURL() + "/consent", w.siteURL("one") + "/.gatehouse/logout",
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(bad))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			b.do(req).want(http.StatusBadRequest, "invalid_request")
		}
	}
	b.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice")
	_, rp := twoWorlds(t, nil)
	b = newBrowser(t)
	callback := stopAtCallback(t, b, rp)
	b.held().get(callback+"&x=%zz").want(http.StatusBadRequest, "cannot be read")
}
