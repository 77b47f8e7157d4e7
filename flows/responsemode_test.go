package flows_test

import (
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// https://github.com/H2CK/oidc/issues/667 (ASP.NET posts), and keycloak-js, which reads
// fragments: a client is answered as it asks, if its registration has that.
func TestAuthorize_ResponseModes(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "modes", Public: true, FirstParty: true, Scopes: []string{"openid"},
		RedirectURIs:  []string{"https://modes.test/cb?a=1", "com.example.modes:/cb"},
		ResponseModes: []string{client.ModeFormPost, client.ModeFragment},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	b := w.signedInBrowser()
	ask := func(uri, mode string, change func(url.Values)) url.Values {
		return with(authorizeParams("modes", uri, "openid"), func(v url.Values) {
			if mode != "" {
				v.Set("response_mode", mode)
			}
			if change != nil {
				change(v)
			}
		})
	}
	const uri = "https://modes.test/cb?a=1"
	redeemed := func(code string) {
		t.Helper()
		form := with(redeem(code), func(v url.Values) { v.Set("redirect_uri", uri); v.Set("client_id", "modes") })
		if got := w.call("token", form); got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.text)
		}
	}
	// form_post, also pushed.
	posted := func(params url.Values) url.Values {
		t.Helper()
		b.get(w.portalURL() + "/authorize?" + params.Encode())
		if b.last.StatusCode != http.StatusOK || !strings.Contains(b.body, `action="https://modes.test/cb?a=1"`) || b.last.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", b.last.StatusCode, b.last.Header, b.body)
		}
		return hiddenFields(b.body)
	}
	answer := posted(ask(uri, "form_post", nil))
	if answer.Get("state") != "s t/ä" || answer.Get("iss") != w.portalURL() {
		t.Errorf("posted %v", answer)
	}
	redeemed(answer.Get("code"))
	pushed := w.call("par", ask(uri, "form_post", nil))
	answer = posted(url.Values{"client_id": {"modes"}, "request_uri": {pushed.answer.text("request_uri")}})
	redeemed(answer.Get("code"))
	if refused := posted(ask(uri, "form_post", set("prompt", "x"))); refused.Get("error") != "invalid_request" || refused.Get("state") != "s t/ä" {
		t.Errorf("posted %v", refused)
	}
	// A fragment.
	b.get(w.portalURL() + "/authorize?" + ask(uri, "fragment", nil).Encode())
	head, fragment, _ := strings.Cut(b.last.Header.Get("Location"), "#")
	inFragment, err := url.ParseQuery(fragment)
	if err != nil || head != uri || inFragment.Get("state") != "s t/ä" {
		t.Fatalf("%s", b.last.Header.Get("Location"))
	}
	redeemed(inFragment.Get("code"))
	// What the client does not have it is told in a mode that it has, and no code
	// goes there; an app's own scheme takes no form.
	for _, c := range []struct{ uri, mode string }{{uri, ""}, {uri, "query"}, {uri, "web_message"}, {"com.example.modes:/cb", "form_post"}} {
		b.get(w.portalURL() + "/authorize?" + ask(c.uri, c.mode, nil).Encode())
		_, fragment, _ := strings.Cut(b.last.Header.Get("Location"), "#")
		told, _ := url.ParseQuery(fragment)
		if fragment == "" {
			told = hiddenFields(b.body)
		}
		if told.Get("error") != "invalid_request" || told.Has("code") || strings.Contains(b.last.Header.Get("Location"), "code=") {
			t.Errorf("%s by %q: %s %v", c.uri, c.mode, b.last.Header.Get("Location"), told)
		}
		if got := w.call("par", ask(c.uri, c.mode, nil)); got.body["error"] != "invalid_request" {
			t.Errorf("%s by %q, pushed: %d %s", c.uri, c.mode, got.status, got.text)
		}
	}
	modes := w.send(http.MethodGet, w.portalURL()+"/.well-known/openid-configuration", "").body["response_modes_supported"]
	if list, _ := modes.([]any); !slices.Equal(list, []any{"query", "fragment", "form_post"}) {
		t.Errorf("discovery: %v", modes)
	}
}

// hiddenFields of a page's form.
func hiddenFields(body string) url.Values {
	fields := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		fields.Set(m[1], html.UnescapeString(m[2]))
	}
	return fields
}
