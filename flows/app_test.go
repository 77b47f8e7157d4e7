package flows_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

const verifier = "a-verifier-of-more-than-forty-three-characters-123"

func oauthClients() []*client.Client {
	all := []string{"openid", "profile", "email", "groups", "offline_access"}
	return []*client.Client{
		{
			ID: "web", Secrets: []client.Secret{client.NewSecret("web-secret-of-enough-length")}, FirstParty: true, Scopes: all,
			RedirectURIs: []string{"https://web.test/cb"}, Grants: []string{client.GrantCode, client.GrantRefresh, client.GrantClientCredentials},
		},
		{
			ID: "other", Secrets: []client.Secret{client.NewSecret("other-secret-of-enough-length")}, Scopes: all,
			RedirectURIs: []string{"https://other.test/cb"},
		},
		{ID: "native", Public: true, FirstParty: true, Scopes: all, RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"}},
		{ID: "cli", Public: true, FirstParty: true, Scopes: all, Grants: []string{client.GrantDevice, client.GrantRefresh}},
	}
}

// app is a program that talks to the token endpoint.
type app struct {
	t          *testing.T
	w          *world
	id, secret string
}

type answer struct {
	status int
	body   map[string]any
	header http.Header
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }

func (a app) post(endpoint string, form url.Values) answer {
	a.t.Helper()
	b := newBrowser(a.t)
	form = cloneValues(form)
	if a.secret == "" && a.id != "" {
		form.Set("client_id", a.id)
	}
	req, _ := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.w.portalURL()+"/"+endpoint, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.secret != "" {
		req.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	}
	b.do(req)
	got := answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{}}
	if b.body != "" {
		if err := json.Unmarshal([]byte(b.body), &got.body); err != nil {
			a.t.Fatalf("%s answered %d %s", endpoint, got.status, b.body)
		}
	}
	if got.header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("%s may be cached", endpoint)
	}
	return got
}

func cloneValues(v url.Values) url.Values {
	c := url.Values{}
	for k, vs := range v {
		c[k] = append([]string(nil), vs...)
	}
	return c
}
