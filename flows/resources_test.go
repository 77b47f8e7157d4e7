package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/scope"
)

const wellKnownResource = "/.well-known/oauth-protected-resource"

func mcpResources() []resource.Resource {
	return []resource.Resource{
		{Path: "/mcp", Name: "Example files", Scopes: []string{"files:read", "files:write"}},
		{Path: "/other"},
	}
}

// resourceClients are clients as configured for MCP: one with a list, one of our own.
func resourceClients(listed ...string) []*client.Client {
	clients := oauthClients()
	for _, c := range clients {
		c.Scopes = append(c.Scopes, "files:read", "files:write")
	}
	return append(clients, &client.Client{
		ID: "agent", Secrets: []client.Secret{client.NewSecret("agent-secret-of-enough-length")}, RedirectURIs: []string{"https://agent.test/cb"},
		Scopes: []string{"openid", "files:read", "files:write"}, Resources: listed, Grants: []string{client.GrantCode, client.GrantRefresh, client.GrantClientCredentials},
	})
}

// RFC 9728, sections 2, 3.1, 3.3 and 5.1: the challenge of a path leads to metadata of
// that path, in the spelling that was asked for.
func TestResource_Metadata(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: resourceClients(), resources: mcpResources()})
	site := w.siteURL("one")
	for path, meta := range map[string]string{
		"/mcp": "/mcp", "/mcp/": "/mcp", "/mcp/tools?x=1": "/mcp", "/other/x": "/other", "/": "", "/mcp-admin": "", "/mcp/../x": "/mcp", "/MCP": "/mcp",
	} {
		got := w.send(http.MethodPost, site+path, "{}", "Accept: application/json, text/event-stream", "Content-Type: application/json")
		want := `resource_metadata="` + site + wellKnownResource + meta + `"`
		if got.status != http.StatusUnauthorized || !strings.HasSuffix(got.header.Get("WWW-Authenticate"), want) {
			t.Errorf("%s: %d %q", path, got.status, got.header.Get("WWW-Authenticate"))
		}
	}
	upper := strings.Replace(site, "one.sites.test", "ONE.Sites.Test", 1)
	for _, id := range []string{site + "/mcp", site + "/mcp/", site, site + "/", site + "/mcp/tools", upper + "/mcp", upper} {
		path, host := id[len(site):], id[:len(site)]
		got := w.send(http.MethodGet, host+wellKnownResource+path, "")
		if got.status != http.StatusOK || got.answer.text("resource") != id || got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", id, got.status, got.text)
		}
	}
	got := w.send(http.MethodGet, site+wellKnownResource+"/mcp", "")
	if got.answer.text("resource_name") != "Example files" || !strings.Contains(got.text, `"scopes_supported":["files:read","files:write"]`) || !strings.Contains(got.text, `"authorization_servers":["`+w.portalURL()+`"]`) {
		t.Errorf("of /mcp: %s", got.text)
	}
	if got = w.send(http.MethodGet, site+wellKnownResource+"/other", ""); got.answer.text("resource_name") != "one.sites.test/other" || strings.Contains(got.text, "scopes_supported") {
		t.Errorf("of /other: %s", got.text)
	}
	for _, path := range []string{"/mcp-admin", "/x", "//mcp", "/mcp/../other", "/%6dcp", "/MCP", "/mcp;x", "/mcp//", "/."} {
		if got := w.send(http.MethodGet, site+wellKnownResource+path, ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.text)
		}
	}
	if got := w.send(http.MethodGet, w.portalURL()+"/.well-known/oauth-authorization-server", ""); !strings.Contains(got.text, `"files:write"`) {
		t.Errorf("the server's metadata lack the scopes: %s", got.text)
	}
}

// The token of one MCP server must not open the next one behind the same gateway, and that
// of the site opens none that is named. Upper case, the default port and a slash at the
// end make no other resource (RFC 3986, section 6.2.3): Jetty, the MCP SDK and others send
// "https://host/" for an origin.
func TestResource_Tokens(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: resourceClients(), resources: mcpResources()})
	b := w.signedInBrowser()
	site := w.siteURL("one")
	upper := strings.Replace(site, "http://one.sites.test", "HTTP://ONE.Sites.Test", 1)
	opens := func(raw, path string) bool {
		t.Helper()
		got := w.send(http.MethodPost, site+path, "{}", "Authorization: Bearer "+raw, "Accept: application/json")
		if got.status == http.StatusUnauthorized && !strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s: %q", path, got.header.Get("WWW-Authenticate"))
		}
		return got.status == http.StatusOK
	}
	for _, c := range []struct {
		asked, aud   string
		open, closed []string
	}{
		{site + "/mcp", site + "/mcp", []string{"/mcp", "/mcp/", "/mcp/tools?x"}, []string{"/", "/other", "/mcp-admin", "/mcp/..", "/mcp/%2e%2e/other", "/MCP"}},
		{upper + "/mcp/", site + "/mcp", []string{"/mcp"}, []string{"/", "/other"}},
		{site, site, []string{"/", "/mcp-admin"}, []string{"/mcp", "/mcp/tools", "/other", "/x/../mcp"}},
		{upper + "/", site, []string{"/"}, []string{"/mcp"}},
		{site + "/mcp/tools", site + "/mcp/tools", []string{"/mcp/tools"}, []string{"/mcp", "/"}},
	} {
		got := w.tokens(b, set("resource", c.asked))
		if aud := audienceOf(t, got); !slices.Equal(aud, []string{c.aud}) {
			t.Errorf("%s: the audience is %v", c.asked, aud)
		}
		raw := got.answer.text("access_token")
		for _, path := range c.open {
			if !opens(raw, path) {
				t.Errorf("a token for %s does not open %s", c.asked, path)
			}
		}
		for _, path := range c.closed {
			if opens(raw, path) {
				t.Errorf("a token for %s opens %s", c.asked, path)
			}
		}
		if got := w.send(http.MethodPost, w.siteURL("two")+c.open[0], "{}", "Authorization: Bearer "+raw); got.status != http.StatusUnauthorized {
			t.Errorf("a token for %s opens another site: %d", c.asked, got.status)
		}
	}
	both := w.tokens(b, set("resource", site+"/mcp", site+"/other", site+"/mcp/"))
	if raw := both.answer.text("access_token"); !opens(raw, "/mcp") || !opens(raw, "/other") || opens(raw, "/") {
		t.Error("a token for two resources does not open both and nothing else")
	}
	got := w.send(http.MethodGet, site+"/other", "", "Authorization: Bearer "+w.tokens(b, set("resource", site+"/mcp")).answer.text("access_token"), "Accept: application/json")
	if !strings.Contains(got.header.Get("WWW-Authenticate"), "resource="+site+"/other (RFC 8707)") {
		t.Errorf("it is not said what to ask for: %q", got.header.Get("WWW-Authenticate"))
	}
}

// A resource that no guard serves is an error where it is asked for, never a token that
// opens nothing.
func TestResource_InvalidTarget(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: resourceClients(), resources: mcpResources()})
	b := w.signedInBrowser()
	site := w.siteURL("one")
	for _, id := range []string{
		site + "/nothing", site + "/mcp-admin", site + "/MCP", site + "/mcp/../other", site + "/%6dcp", site + "//mcp", site + "/mcp?x", site + "/mcp?", site + "/mcp#x",
		"https://one.sites.test/mcp", "http://one.sites.test:1/mcp", "http://elsewhere.test/mcp", "http://x@one.sites.test" + port(w.site) + "/mcp", "/mcp", "mcp", "",
	} {
		params := with(authorizeParams("web", "https://web.test/cb", "openid"), set("resource", id))
		if got := w.toClient(b, params); got.Get("error") != "invalid_target" || got.Has("code") {
			t.Errorf("%q at the authorization endpoint: %v", id, got)
		}
		w.call("par", params, basic("web")).refused(t, id+" pushed", http.StatusBadRequest, "invalid_target")
		w.call("device_authorization", url.Values{"client_id": {"cli"}, "resource": {id}}).refused(t, id+" of a device", http.StatusBadRequest, "invalid_target")
		w.call("token", url.Values{"grant_type": {"client_credentials"}, "resource": {id}}, basic("web")).refused(t, id+" of a client", http.StatusBadRequest, "invalid_target")
	}
}

// A list of resources names them in any spelling, and no more than them.
func TestResource_Listed(t *testing.T) {
	var w *world
	clients := resourceClients("urn:filled-in")
	w = newWorld(t, worldOptions{portal: true, clients: clients, resources: mcpResources()})
	site := w.siteURL("one")
	agent := clients[len(clients)-1]
	agent.Resources = []string{site + "/mcp/", strings.ToUpper(w.siteURL("two")), site + "/nothing", site + "/mcp?x", "urn:jobs"}
	for id, want := range map[string]string{
		site + "/mcp": site + "/mcp", site + "/mcp/tools": site + "/mcp/tools", w.siteURL("two") + "/": w.siteURL("two"), "urn:jobs": "urn:jobs",
		site: "", w.siteURL("two") + "/mcp": "", site + "/other": "", site + "/nothing": "", site + "/mcp?x": "", "URN:jobs": "",
	} {
		got := w.call("token", url.Values{"grant_type": {"client_credentials"}, "resource": {id}}, basic("agent"))
		if want == "" {
			got.refused(t, id, http.StatusBadRequest, "invalid_target")
			continue
		}
		if aud := audienceOf(t, got); !slices.Equal(aud, []string{want}) {
			t.Errorf("%s: %v", id, aud)
		}
	}
}

// Where nothing is named the origin covers all its paths, and a token for one of them is
// good for that.
func TestResource_Unnamed(t *testing.T) {
	for name, portal := range map[string]bool{"portal": true, "single site": false} {
		t.Run(name, func(t *testing.T) {
			clients := oauthClients()
			clients[0].Grants = append(clients[0].Grants, client.GrantClientCredentials)
			w := newWorld(t, worldOptions{portal: portal, clients: clients})
			site := w.siteURL("one")
			ask := func(id string) said {
				if portal {
					return w.call("token", url.Values{"grant_type": {"client_credentials"}, "resource": {id}}, basic("web"))
				}
				return w.send(http.MethodPost, site+"/.gatehouse/token", url.Values{"grant_type": {"client_credentials"}, "resource": {id}}.Encode(),
					"Content-Type: application/x-www-form-urlencoded", basic("web"))
			}
			for id, paths := range map[string][2][]string{
				site + "/":       {{"/", "/mcp", "/x/../y"}, nil},
				site + "/mcp":    {{"/mcp", "/mcp/x"}, {"/", "/mcp-admin", "/mcp/.."}},
				site + "/mcp/x/": {{"/mcp/x"}, {"/mcp"}},
			} {
				raw := ask(id).answer.text("access_token")
				for i, status := range []int{http.StatusOK, http.StatusUnauthorized} {
					for _, path := range paths[i] {
						if got := w.send(http.MethodPost, site+path, "", "Authorization: Bearer "+raw); got.status != status {
							t.Errorf("a token for %s at %s: %d %s", id, path, got.status, got.text)
						}
					}
				}
			}
			if !portal {
				ask(w.siteURL("two")).refused(t, "another site", http.StatusBadRequest, "invalid_target")
			}
		})
	}
}

// Each site is an issuer of its own: what is named there is served there, and a list of a
// client's names no other.
func TestResource_SingleSite(t *testing.T) {
	clients := resourceClients("urn:filled-in")
	w := newWorld(t, worldOptions{clients: clients, resources: mcpResources()})
	site := w.siteURL("one")
	clients[len(clients)-1].Resources = []string{site + "/mcp", w.siteURL("two") + "/mcp"}
	ask := func(id string) said {
		return w.send(http.MethodPost, site+"/.gatehouse/token", url.Values{"grant_type": {"client_credentials"}, "resource": {id}}.Encode(),
			"Content-Type: application/x-www-form-urlencoded", basic("agent"))
	}
	raw := ask(site + "/mcp").answer.text("access_token")
	for path, status := range map[string]int{"/mcp": http.StatusOK, "/": http.StatusUnauthorized, "/other": http.StatusUnauthorized} {
		if got := w.send(http.MethodPost, site+path, "", "Authorization: Bearer "+raw); got.status != status {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	for _, id := range []string{site, site + "/other", site + "/x", w.siteURL("two") + "/mcp"} {
		if got := ask(id); got.status != http.StatusBadRequest || got.body["error"] != "invalid_target" {
			t.Errorf("%s: %d %s", id, got.status, got.text)
		}
	}
	got := w.send(http.MethodGet, site+wellKnownResource+"/mcp", "")
	if !strings.Contains(got.text, `"authorization_servers":["`+site+`/.gatehouse"]`) {
		t.Errorf("%s", got.text)
	}
}

// A page of a sibling site could post JSON-RPC with the visitor's cookie, which SameSite
// does not keep back within a site; the MCP specification has servers check Origin.
func TestResource_SessionsAndOrigin(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, resources: mcpResources()})
	b := w.signedInBrowserAt("one")
	site := w.siteURL("one")
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{http.MethodPost, "/mcp", []string{"Origin: " + site}, http.StatusOK},
		{http.MethodPost, "/mcp", []string{"Sec-Fetch-Site: same-origin"}, http.StatusOK},
		{http.MethodPost, "/mcp", nil, http.StatusOK}, // no browser's
		{http.MethodGet, "/mcp", nil, http.StatusOK},
		{http.MethodPost, "/site", []string{"Origin: " + w.siteURL("evil")}, http.StatusOK}, // the application's own to judge
		{http.MethodPost, "/mcp", []string{"Origin: " + w.siteURL("evil")}, http.StatusForbidden},
		{http.MethodDelete, "/mcp/x", []string{"Origin: https://evil.test"}, http.StatusForbidden},
		{http.MethodPost, "/mcp", []string{"Origin: null"}, http.StatusForbidden},
		{http.MethodPost, "/mcp", []string{"Origin: "}, http.StatusForbidden},
		{http.MethodPost, "/mcp", []string{"Origin: http://one.sites.test:1"}, http.StatusForbidden},
		{http.MethodPost, "/mcp", []string{"Origin: " + site, "Origin: " + w.siteURL("evil")}, http.StatusForbidden},
		{http.MethodPost, "/mcp", []string{"Sec-Fetch-Site: same-site"}, http.StatusForbidden},
		{http.MethodGet, "/mcp", []string{"Origin: " + w.siteURL("evil")}, http.StatusForbidden},
		{http.MethodPost, "/x/../mcp", []string{"Origin: " + w.siteURL("evil")}, http.StatusForbidden},
		{http.MethodPost, "/MCP", []string{"Origin: " + w.siteURL("evil")}, http.StatusForbidden},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, site+c.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range c.headers {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Add(name, value)
		}
		b.do(req)
		if b.last.StatusCode != c.status {
			t.Errorf("%s %s %v: %d %s", c.method, c.path, c.headers, b.last.StatusCode, b.body)
		}
	}
}

// RFC 6750, section 3.1: one challenge names all that the request needs, of the least that
// makes sense; a broader scope counts as those that it implies.
func TestResource_Scopes(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: resourceClients(), resources: mcpResources(), scopes: scope.Catalog{
		"files:write": {Words: "Change your files", Implies: []string{"files:read"}},
	}})
	w.scoped = map[string][]string{"/mcp": {"files:read"}, "/mcp/both": {"files:read", "files:write"}, "/mcp/x": {"files:x"}}
	b := w.signedInBrowser()
	site := w.siteURL("one")
	if got := w.send(http.MethodPost, site+"/mcp/both", "{}"); !strings.Contains(got.header.Get("WWW-Authenticate"), `scope="files:read files:write"`) {
		t.Errorf("nobody: %q", got.header.Get("WWW-Authenticate"))
	}
	for _, c := range []struct {
		scope, path string
		status      int
	}{
		{"openid files:read", "/mcp", http.StatusOK},
		{"openid files:write", "/mcp", http.StatusOK},
		{"openid files:write", "/mcp/both", http.StatusOK},
		{"openid files:read", "/mcp/both", http.StatusForbidden},
		{"openid files:read files:write", "/mcp/x", http.StatusForbidden},
		{"openid", "/mcp", http.StatusForbidden},
	} {
		raw := w.tokens(b, func(v url.Values) { v.Set("resource", site+"/mcp"); v.Set("scope", c.scope) }).answer.text("access_token")
		got := w.send(http.MethodPost, site+c.path, "{}", "Authorization: Bearer "+raw)
		if got.status != c.status {
			t.Errorf("%s with %q: %d %s", c.path, c.scope, got.status, got.text)
		}
		if challenge := got.header.Get("WWW-Authenticate"); c.status == http.StatusForbidden && (!strings.Contains(challenge, `error="insufficient_scope"`) ||
			!strings.Contains(challenge, `scope="`+strings.Join(w.scoped[c.path], " ")+`"`) || !strings.Contains(challenge, wellKnownResource+`/mcp"`) || strings.Count(challenge, "scope=") != 1) {
			t.Errorf("%s with %q: %q", c.path, c.scope, challenge)
		}
	}
}
