package flows_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// toClient is what the browser brings the client, or nil if it is sent nowhere.
func (w *world) toClient(b *browser, params url.Values) url.Values {
	w.t.Helper()
	b.get(w.portalURL() + "/authorize?" + params.Encode())
	to, err := url.Parse(b.last.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), params.Get("redirect_uri")+"?") {
		return nil
	}
	return to.Query()
}

// RFC 6749, section 4.1.2.1, and RFC 9207: what is wrong with a request whose
// redirect URI is trusted is told there, with the state as it came and our
// issuer, and nothing else.
func TestRFC9207_ErrorsAreTheClientsToKnow(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	site := w.siteURL("one")
	for name, c := range map[string]struct {
		change func(url.Values)
		code   string
	}{
		"implicit":                 {set("response_type", "token"), "unsupported_response_type"},
		"hybrid":                   {set("response_type", "code id_token"), "unsupported_response_type"},
		"an ID token at once":      {set("response_type", "id_token"), "unsupported_response_type"},
		"upper case":               {set("response_type", "CODE"), "unsupported_response_type"},
		"no response type":         {set("response_type", ""), "invalid_request"},
		"an answer in a fragment":  {set("response_mode", "fragment"), "invalid_request"},
		"an answer by form":        {set("response_mode", "form_post"), "invalid_request"},
		"a request object":         {set("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"},
		"a scope of others":        {set("scope", "admin"), "invalid_scope"},
		"a scope in upper case":    {set("scope", "OPENID"), "invalid_scope"},
		"a malformed scope":        {set("scope", `openid "`), "invalid_scope"},
		"two spaces":               {set("scope", "openid  email"), "invalid_scope"},
		"a scope without end":      {set("scope", strings.Repeat("openid ", 500)+"openid"), "invalid_scope"},
		"a relative resource":      {set("resource", "/api"), "invalid_target"},
		"a fragment":               {set("resource", site+"#x"), "invalid_target"},
		"an empty fragment":        {set("resource", site+"#"), "invalid_target"},
		"a resource of others":     {set("resource", "https://evil.test"), "invalid_target"},
		"one of two is of others":  {set("resource", site, "https://evil.test"), "invalid_target"},
		"a resource with a user":   {set("resource", strings.Replace(site, "://", "://x@", 1)), "invalid_target"},
		"an empty resource":        {set("resource", ""), "invalid_target"},
		"a resource without end":   {set("resource", site+"/"+strings.Repeat("x", 600)), "invalid_target"},
		"very many resources":      {set("resource", slices.Repeat([]string{site}, 20)...), "invalid_target"},
		"an unknown prompt":        {set("prompt", "create"), "invalid_request"},
		"none and consent":         {set("prompt", "none consent"), "invalid_request"},
		"max_age in words":         {set("max_age", "x"), "invalid_request"},
		"max_age below zero":       {set("max_age", "-1"), "invalid_request"},
		"max_age with a fraction":  {set("max_age", "1.5"), "invalid_request"},
		"max_age without end":      {set("max_age", strings.Repeat("9", 40)), "invalid_request"},
		"a nonce without end":      {set("nonce", strings.Repeat("x", 600)), "invalid_request"},
		"a login_hint without end": {set("login_hint", strings.Repeat("x", 600)), "invalid_request"},
		"acr_values without end":   {set("acr_values", strings.Repeat("x", 600)), "invalid_request"},
		"a key without end":        {set("dpop_jkt", strings.Repeat("x", 65)), "invalid_request"},
		"a hint that is none":      {set("id_token_hint", "x"), "invalid_request"},
		"a hint without end":       {set("id_token_hint", strings.Repeat("x", 9000)), "invalid_request"},
		"silent, and nobody there": {set("prompt", "none"), "login_required"},
	} {
		got := w.toClient(newBrowser(t).held(), with(authorizeParams("web", "https://web.test/cb", "openid"), c.change))
		if got.Get("error") != c.code || got.Get("state") != "s t/ä" || got.Get("iss") != w.portalURL() {
			t.Errorf("%s: %v, want %s", name, got, c.code)
		}
		if !describes(got.Get("error_description")) {
			t.Errorf("%s: description %q", name, got.Get("error_description"))
		}
		for key := range got {
			if !slices.Contains([]string{"error", "error_description", "state", "iss"}, key) {
				t.Errorf("%s: the answer holds %s", name, key)
			}
		}
	}
	b := w.signedInBrowser()
	got := w.toClient(b, authorizeParams("web", "https://web.test/cb", "openid"))
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, []string{"code", "iss", "state"}) || got.Get("iss") != w.portalURL() {
		t.Errorf("success: %v", got)
	}
	if got := w.toClient(b, with(authorizeParams("web", "https://web.test/cb", "openid"), drop("state"))); got.Has("state") || got.Get("code") == "" {
		t.Errorf("without state: %v", got)
	}
	var doc map[string]any
	_ = json.Unmarshal([]byte(b.get(w.portalURL()+"/.well-known/oauth-authorization-server").body), &doc)
	if doc["authorization_response_iss_parameter_supported"] != true {
		t.Error("iss is not advertised")
	}
}

// Section 3.1: what is not known is ignored, and what has no value was not sent.
func TestRFC6749_AuthorizationRequestsThatAreInOrder(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	good := authorizeParams("web", "https://web.test/cb", "openid")
	for name, change := range map[string]func(url.Values){
		"unknown parameters": func(v url.Values) { v["x"] = []string{"1", "2"}; v.Set("display", "page"); v.Set("ui_locales", "de") },
		"claims asked for":   set("claims", `{"id_token":{"email":{"essential":true}}}`),
		"empty ones": func(v url.Values) {
			for _, name := range []string{"state", "nonce", "prompt", "max_age", "login_hint", "acr_values", "request", "response_mode", "dpop_jkt", "claims", "id_token_hint", "scope", "redirect_uri"} {
				v.Set(name, "")
			}
		},
		"a very long state": set("state", strings.Repeat("s", 4096)),
	} {
		got := with(good, change)
		b.get(w.portalURL() + "/authorize?" + got.Encode())
		to, _ := url.Parse(b.last.Header.Get("Location"))
		if to.Query().Get("code") == "" || to.Query().Get("state") != got.Get("state") || to.Host != "web.test" {
			t.Errorf("%s: %d to %s", name, b.last.StatusCode, to)
		}
	}
	// A form instead of an address (OpenID Connect Core, section 3.1.2.1).
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.portalURL()+"/authorize", strings.NewReader(good.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if to := b.do(req).last.Header.Get("Location"); b.last.StatusCode != http.StatusSeeOther || !strings.Contains(to, "code=") {
		t.Errorf("by form: %d to %s", b.last.StatusCode, to)
	}
}

// A request may be as large as it likes: what cannot be kept is refused at once,
// at the client, not when the person has signed in.
func TestRFC6749_AuthorizationRequestsThatAreTooLarge(t *testing.T) {
	_, rp := twoWorldsWith(t, worldOptions{portal: true, clients: oauthClients()})
	local := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for name, w := range map[string]*world{"a provider elsewhere": rp, "passwords": local} {
		var resources []string
		for i := range 8 {
			resources = append(resources, w.siteURL("one")+"/"+strings.Repeat("&", 400)+string(rune('a'+i)))
		}
		for what, change := range map[string]func(url.Values){
			"state": set("state", strings.Repeat("&", 4096)),
			"long":  set("state", strings.Repeat("s", 4097)),
			"resources and state": func(v url.Values) {
				v["resource"] = resources
				v.Set("state", strings.Repeat("s", 2500))
			},
			"all": func(v url.Values) {
				v["resource"] = resources
				v.Set("state", strings.Repeat("<", 4000))
				v.Set("nonce", strings.Repeat(">", 500))
			},
		} {
			params := with(authorizeParams("web", "https://web.test/cb", "openid"), change)
			got := w.send(http.MethodGet, w.portalURL()+"/authorize?"+params.Encode(), "", "Accept: text/html")
			to, _ := url.Parse(got.header.Get("Location"))
			if to.Host != "web.test" || to.Query().Get("error") != "invalid_request" {
				t.Errorf("%s, %s: %d to %.80s", name, what, got.status, to)
			}
		}
	}
}
