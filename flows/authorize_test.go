package flows_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestAuthorize_Refusals(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for name, c := range map[string]struct {
		change func(url.Values)
		error  string // "" : a page, never a redirect
	}{
		"unknown client":     {func(p url.Values) { p.Set("client_id", "nobody") }, ""},
		"foreign redirect":   {func(p url.Values) { p.Set("redirect_uri", "https://evil.test/cb") }, ""},
		"redirect with more": {func(p url.Values) { p.Set("redirect_uri", "https://web.test/cb?x=1") }, ""},
		"traversal":          {func(p url.Values) { p.Set("redirect_uri", "https://web.test/cb/../x") }, ""},
		"userinfo":           {func(p url.Values) { p.Set("redirect_uri", "https://x@web.test/cb") }, ""},
		"fragment":           {func(p url.Values) { p.Set("redirect_uri", "https://web.test/cb#x") }, ""},
		"upper case":         {func(p url.Values) { p.Set("redirect_uri", "https://WEB.test/cb") }, ""},
		"twice":              {func(p url.Values) { p.Add("scope", "openid") }, "invalid_request"},
		"unknown pushed":     {func(p url.Values) { p.Set("request_uri", "urn:ietf:params:oauth:request_uri:x") }, ""},
		"no response type":   {func(p url.Values) { p.Del("response_type") }, "invalid_request"},
		"implicit":           {func(p url.Values) { p.Set("response_type", "token") }, "unsupported_response_type"},
		"plain PKCE":         {func(p url.Values) { p.Set("code_challenge_method", "plain") }, "invalid_request"},
		"no PKCE method":     {func(p url.Values) { p.Del("code_challenge_method") }, "invalid_request"},
		"bad challenge":      {func(p url.Values) { p.Set("code_challenge", "x") }, "invalid_request"},
		"empty challenge":    {func(p url.Values) { p.Set("code_challenge", "") }, "invalid_request"},
		"foreign scope":      {func(p url.Values) { p.Set("scope", "admin") }, "invalid_scope"},
		"malformed scope":    {func(p url.Values) { p.Set("scope", "openid \"x") }, "invalid_scope"},
		"request object":     {func(p url.Values) { p.Set("request", "x") }, "request_not_supported"},
		"fragment mode":      {func(p url.Values) { p.Set("response_mode", "fragment") }, "invalid_request"},
		"unknown prompt":     {func(p url.Values) { p.Set("prompt", "x") }, "invalid_request"},
		"none and login":     {func(p url.Values) { p.Set("prompt", "none login") }, "invalid_request"},
		"bad max_age":        {func(p url.Values) { p.Set("max_age", "-1") }, "invalid_request"},
		"foreign resource":   {func(p url.Values) { p.Set("resource", "https://evil.test") }, "invalid_target"},
		"nobody there":       {func(p url.Values) { p.Set("prompt", "none") }, "login_required"},
	} {
		params := authorizeParams("web", "https://web.test/cb", "openid")
		c.change(params)
		b := newBrowser(t).held().get(w.portalURL() + "/authorize?" + params.Encode())
		to, _ := url.Parse(b.last.Header.Get("Location"))
		switch {
		case c.error == "" && (b.last.StatusCode != 400 || to.String() != ""):
			t.Errorf("%s: %d to %s", name, b.last.StatusCode, to)
		case c.error != "" && (to.Query().Get("error") != c.error || to.Query().Get("iss") != w.portalURL() || to.Query().Get("state") != "s t/ä" || to.Host != "web.test"):
			t.Errorf("%s: %d to %s", name, b.last.StatusCode, to)
		}
	}
	native := authorizeParams("native", "http://127.0.0.1:4711/cb", "openid")
	native.Del("code_challenge")
	native.Del("code_challenge_method")
	b := newBrowser(t).held().get(w.portalURL() + "/authorize?" + native.Encode())
	if !strings.Contains(b.last.Header.Get("Location"), "error=invalid_request") {
		t.Errorf("a public client without PKCE: %s", b.last.Header.Get("Location"))
	}
}
