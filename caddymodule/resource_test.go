package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// resourceSite has two resources, a part of one that needs more, and what the application
// says itself of who may read it.
const resourceSite = `http://app.example.com {
	gatehouse {
		resource /mcp "Example files"
		resource /other
		require scope files:read
	}
	gatehouse /mcp/admin* {
		require scope files:admin
	}
	header /mcp/own* {
		Access-Control-Allow-Origin https://own.example
		Mcp-Session-Id x
		defer
	}
	respond "{http.auth.user.id} {header.Authorization}"
}`

const resourceLines = aliceLocal + `client agent {
	secret agent-secret-of-enough-length
	grants client_credentials
	scopes files:all files:read
	resources http://app.example.com/mcp http://app.example.com/other
}
scope files:all "Do anything to your files" {
	implies files:admin files:read
}
`

func (r *running) agentToken(t *testing.T, resource, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {scope}}.Encode()
	req := httptest.NewRequest(http.MethodPost, "http://app.example.com/.gatehouse/token", strings.NewReader(form))
	req.RequestURI = "/.gatehouse/token"
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("agent", "agent-secret-of-enough-length")
	rec := r.do(req)
	wantStatus(t, rec, http.StatusOK)
	_, rest, _ := strings.Cut(rec.Body.String(), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// What the guards of a Caddyfile name is what tokens open, whatever rewrites the path;
// a challenge names what all guards of the request need.
func TestResource(t *testing.T) {
	r := serve(t, resourceLines, resourceSite)
	call := func(path, token string) *httptest.ResponseRecorder {
		req := get("http://app.example.com" + path)
		req.Method = http.MethodPost
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		return r.do(req)
	}
	read, all := r.agentToken(t, "http://app.example.com/mcp", "files:read"), r.agentToken(t, "http://APP.example.com:80/mcp/", "files:all")
	for _, c := range []struct {
		path, token string
		status      int
		said        []string
	}{
		{"/mcp", "", 401, []string{`resource_metadata="http://app.example.com/.well-known/oauth-protected-resource/mcp"`, `scope="files:read"`}},
		{"/mcp/admin", "", 401, []string{`scope="files:read files:admin"`}},
		{"/", "", 401, []string{`resource_metadata="http://app.example.com/.well-known/oauth-protected-resource"`}},
		{"/mcp", read, 200, nil},
		{"/mcp/admin", read, 403, []string{`error="insufficient_scope"`, `scope="files:read files:admin"`, `oauth-protected-resource/mcp"`}},
		{"/mcp/admin", all, 200, nil},
		{"/other", all, 401, []string{`error="invalid_token"`, "resource=http://app.example.com/other"}},
		{"/mcp-admin", all, 401, []string{`error="invalid_token"`}},
		{"/mcp/../other", all, 401, []string{`error="invalid_token"`}},
		{"/", all, 401, []string{`error="invalid_token"`}},
	} {
		rec := call(c.path, c.token)
		wantStatus(t, rec, c.status)
		for _, want := range c.said {
			if got := strings.Join(rec.Header().Values("WWW-Authenticate"), "\n"); !strings.Contains(got, want) {
				t.Errorf("%s: %s", c.path, got)
			}
		}
		if c.status == 200 && strings.Contains(rec.Body.String(), "Bearer") {
			t.Errorf("the token goes on: %s", rec.Body)
		}
	}
	rec := r.do(get("http://app.example.com/.well-known/oauth-protected-resource/mcp"))
	if want := `{"resource":"http://app.example.com/mcp","resource_name":"Example files","authorization_servers":["http://app.example.com/.gatehouse"],"scopes_supported":["files:read"],"bearer_methods_supported":["header"]}`; strings.TrimSpace(rec.Body.String()) != want {
		t.Errorf("metadata: %s", rec.Body)
	}
}

// A browser's MCP inspector calls from any origin, by a token: it asks first, without one,
// and must be able to read the session's id and why it was refused.
func TestResource_Pages(t *testing.T) {
	r := serve(t, resourceLines, resourceSite)
	token := r.agentToken(t, "http://app.example.com/mcp", "files:read")
	alice := r.signIn("app.example.com", nil)
	const inspector = "http://localhost:6274"
	ask := pagePreflight("http://app.example.com/mcp", inspector, http.MethodPost)
	ask.Header.Set("Access-Control-Request-Headers", "authorization,content-type,last-event-id,mcp-protocol-version,mcp-session-id")
	rec := r.do(ask)
	wantStatus(t, rec, http.StatusNoContent)
	if h := rec.Header(); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != http.MethodPost ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "mcp-protocol-version") || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a preflight: %v", h)
	}
	rec = r.do(pagePreflight("http://app.example.com/site", inspector, http.MethodPost))
	if rec.Code != http.StatusUnauthorized || rec.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight elsewhere: %d %v", rec.Code, rec.Header())
	}
	for name, c := range map[string]struct {
		path   string
		token  string
		cookie bool
		status int
		origin string
	}{
		"nobody":                       {"/mcp", "", false, 401, "*"},
		"a token":                      {"/mcp", token, false, 200, "*"},
		"too little":                   {"/mcp/admin", token, false, 403, "*"},
		"what the application says":    {"/mcp/own", token, false, 200, "https://own.example"},
		"the visitor's cookie":         {"/mcp", "", true, 403, "*"},
		"the visitor's cookie, hidden": {"/x/..%2fmcp", "", true, 403, "*"},
	} {
		req := get("http://app.example.com" + c.path)
		req.Method = http.MethodPost
		req.Header.Set("Origin", inspector)
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		if c.cookie {
			req.AddCookie(alice)
		}
		rec := r.do(req)
		h := rec.Header()
		if rec.Code != c.status || strings.Join(h["Access-Control-Allow-Origin"], " ") != c.origin || h.Get("Access-Control-Allow-Credentials") != "" ||
			!strings.Contains(strings.Join(h["Access-Control-Expose-Headers"], ","), "Mcp-Session-Id") || !strings.Contains(strings.Join(h["Access-Control-Expose-Headers"], ","), "WWW-Authenticate") {
			t.Errorf("%s: %d %v", name, rec.Code, h)
		}
	}
}
