package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

const requestURI = "urn:ietf:params:oauth:request_uri:"

// Sections 2.2 and 4: a pushed request is its client's, good for one use within
// 90 seconds, and what the address adds does not count.
func TestRFC9126_PushedRequestsAreUsedOnce(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	w.clock.hold(0)
	params := authorizeParams("web", "https://web.test/cb", "openid")
	push := func() string {
		t.Helper()
		got := w.call("par", params, basic("web"))
		uri := got.answer.text("request_uri")
		if id, ok := strings.CutPrefix(uri, requestURI); got.status != http.StatusCreated || !ok || len(id) < 43 || got.body["expires_in"] != 90.0 {
			t.Fatalf("%d %s", got.status, got.text)
		}
		return uri
	}
	ask := func(id, uri string, more ...string) said {
		query := url.Values{"client_id": {id}, "request_uri": {uri}}
		for i := 0; i+1 < len(more); i += 2 {
			query.Set(more[i], more[i+1])
		}
		return w.send(http.MethodGet, w.portalURL()+"/authorize?"+query.Encode(), "", "Accept: text/html")
	}
	first, second := push(), push()
	if first == second {
		t.Error("two requests have one address")
	}
	for name, got := range map[string]said{
		"of another client": ask("native", first), "of an unknown one": ask("nobody", first), "without client": ask("", first),
		"cut short": ask("web", first[:len(first)-1]), "extended": ask("web", first+"A"), "in upper case": ask("web", strings.ToUpper(first)),
		"without its prefix": ask("web", strings.TrimPrefix(first, requestURI)), "invented": ask("web", requestURI+strings.Repeat("A", 43)),
		"without end": ask("web", requestURI+strings.Repeat("A", 20_000)), "elsewhere": ask("web", "https://evil.test/request"),
	} {
		got.page(t, name)
	}
	b.get(w.portalURL() + "/authorize?" + url.Values{
		"client_id": {"web"}, "request_uri": {first}, "state": {"another"}, "scope": {"admin"}, "redirect_uri": {"https://evil.test/"},
	}.Encode())
	to, _ := url.Parse(b.last.Header.Get("Location"))
	if to.Host != "web.test" || to.Query().Get("state") != "s t/ä" || to.Query().Get("code") == "" {
		t.Fatalf("%d to %s", b.last.StatusCode, to)
	}
	if got := w.call("token", redeem(to.Query().Get("code")), basic("web")); got.status != http.StatusOK || got.answer.text("scope") != "openid" {
		t.Errorf("%d %s", got.status, got.text)
	}
	ask("web", first).page(t, "a second time")
	w.clock.hold(89 * time.Second)
	if got := ask("web", second); got.status != http.StatusOK {
		t.Errorf("after 89 seconds: %d", got.status)
	}
	late := push()
	w.clock.hold(90 * time.Second)
	ask("web", late).page(t, "after 90 seconds")
}

// Section 2.1: what is wrong is told at once, to the client itself.
func TestRFC9126_PushesThatAreRefused(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for name, c := range map[string]struct {
		change func(url.Values)
		code   string
	}{
		"a request_uri":            {set("request_uri", requestURI+"x"), "invalid_request"},
		"a request object":         {set("request", "x"), "invalid_request"},
		"another redirect URI":     {set("redirect_uri", "https://evil.test/"), "invalid_request"},
		"a redirect URI, userinfo": {set("redirect_uri", "https://x@web.test/cb"), "invalid_request"},
		"a redirect URI, fragment": {set("redirect_uri", "https://web.test/cb#x"), "invalid_request"},
		"a redirect URI, detour":   {set("redirect_uri", "https://web.test/x/../cb"), "invalid_request"},
		"a redirect URI, port":     {set("redirect_uri", "https://web.test:443/cb"), "invalid_request"},
		"another's client_id":      {set("client_id", "other"), "invalid_request"},
		"implicit":                 {set("response_type", "token"), "unsupported_response_type"},
		"no response type":         {drop("response_type"), "invalid_request"},
		"plain PKCE":               {set("code_challenge_method", "plain"), "invalid_request"},
		"an empty challenge":       {set("code_challenge", ""), "invalid_request"},
		"a scope of others":        {set("scope", "admin"), "invalid_scope"},
		"a resource of others":     {set("resource", "https://evil.test"), "invalid_target"},
		"a prompt of no kind":      {set("prompt", "x"), "invalid_request"},
		"a key without end":        {set("dpop_jkt", strings.Repeat("x", 65)), "invalid_request"},
		"a hint that is none":      {set("id_token_hint", "x"), "invalid_request"},
		"more than can be kept":    {set("x", strings.Repeat("x", 60_000)), "invalid_request"},
		"a state without end":      {set("state", strings.Repeat("x", 4097)), "invalid_request"},
	} {
		w.call("par", with(authorizeParams("web", "https://web.test/cb", "openid"), c.change), basic("web")).
			refused(t, name, http.StatusBadRequest, c.code)
	}
	good := authorizeParams("native", "com.example.app:/cb", "openid")
	if got := w.call("par", good); got.status != http.StatusCreated {
		t.Errorf("a public client: %d %s", got.status, got.text)
	}
	w.call("par", with(good, drop("code_challenge", "code_challenge_method"))).refused(t, "without PKCE", http.StatusBadRequest, "invalid_request")
	w.call("par", with(good, set("client_id", "cli"))).refused(t, "a client without codes", http.StatusBadRequest, "invalid_request")
}

// Section 5: a client that must push cannot do without.
func TestRFC9126_WhoMustPush(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "pushes", Public: true, FirstParty: true, RequirePAR: true, RedirectURIs: []string{"https://web.test/cb"}, Scopes: []string{"openid"},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	b := w.signedInBrowser()
	params := authorizeParams("pushes", "https://web.test/cb", "openid")
	w.send(http.MethodGet, w.portalURL()+"/authorize?"+params.Encode(), "", "Accept: text/html").page(t, "not pushed")
	uri := w.call("par", params).answer.text("request_uri")
	if got := w.toClient(b, url.Values{"client_id": {"pushes"}, "request_uri": {uri}, "redirect_uri": {"https://web.test/cb"}}); got.Get("code") == "" {
		t.Errorf("pushed: %d %v", b.last.StatusCode, got)
	}
}
