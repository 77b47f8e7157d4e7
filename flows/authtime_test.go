package flows_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
)

// hub answers as GitHub does to somebody who signed in there long ago: it sends
// the browser back without a question. asked is the last request that it was sent.
func hub(t *testing.T, asked *url.Values) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/login/oauth/authorize":
			*asked = r.URL.Query()
			back := asked.Get("redirect_uri") + "?" + url.Values{"code": {"c"}, "state": {asked.Get("state")}}.Encode()
			http.Redirect(w, r, back, http.StatusFound)
		case "/login/oauth/access_token":
			_, _ = w.Write([]byte(`{"access_token":"at","token_type":"bearer","scope":"user:email"}`))
		case "/api/v3/user":
			_, _ = w.Write([]byte(`{"id":7,"login":"octo","type":"User"}`))
		default:
			_, _ = w.Write([]byte(`[{"email":"octo@example.com","primary":true,"verified":true}]`))
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// OpenID Connect Core, sections 2 and 3.1.2.1: GitHub neither tells when somebody
// signed in there, nor signs them in again because it is asked to. So nobody is
// told a time, and who asks for a recent or a new sign-in is told that it cannot be
// had, even where somebody has just come from there.
func TestAuthTime_OfAProviderThatTellsNone(t *testing.T) {
	var asked url.Values
	server := hub(t, &asked)
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), providers: func(now func() time.Time) []provider.Provider {
		p, err := github.New(github.Config{Name: "github", ClientID: "id", ClientSecret: "secret", BaseURL: server.URL, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{p}
	}})
	params := authorizeParams("web", "https://web.test/cb", "openid")
	asks := map[string]func(url.Values){
		"max_age":      set("max_age", "3600"),
		"max_age=0":    set("max_age", "0"),
		"prompt=login": set("prompt", "login"),
		"both":         func(v url.Values) { v.Set("prompt", "login"); v.Set("max_age", "60") },
		"silently":     func(v url.Values) { v.Set("prompt", "none"); v.Set("max_age", "3600") },
	}
	refuses := func(when string, b *browser) {
		t.Helper()
		for name, change := range asks {
			if got := w.toClient(b, with(params, change)); got.Get("error") != "login_required" || got.Get("state") != params.Get("state") {
				t.Errorf("%s, %s: %d %v", when, name, b.last.StatusCode, got)
			}
		}
	}
	refuses("to a stranger", newBrowser(t).held())

	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").want(http.StatusOK, "hello octo@example.com")
	refuses("to somebody who has just come", b.held())
	got := w.call("token", redeem(w.code(b.held(), params)), basic("web"))
	for _, name := range []string{"id_token", "access_token"} {
		if _, claims := claimsOf(t, got.answer.text(name)); claims["sub"] == nil || claims["auth_time"] != nil {
			t.Errorf("%s: %v", name, claims)
		}
	}

	// Our own site asks for no more than can be had.
	b.get(w.siteURL("one")+"/.gatehouse/login?prompt=login").want(http.StatusOK, "hello")
	if asked.Get("prompt") != "select_account" {
		t.Errorf("GitHub was asked for prompt %q", asked.Get("prompt"))
	}
}
