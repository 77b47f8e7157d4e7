package flows_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// newConnecting is a world whose resource /mcp works with people's tokens of GitHub, and
// where a request for it is made.
func newConnecting(t *testing.T, portal bool) (w hubbed, authorize func(change func(url.Values)) string) {
	t.Helper()
	w = newLinking(t, portal, oauthClientsFor("other")...)
	set, err := resource.NewSet([]resource.Resource{
		{Sites: []string{w.siteURL("app")}, Path: "/mcp", Providers: []resource.Provider{{Name: "github", Scopes: []string{"gist"}}}},
		{Sites: []string{w.siteURL("app")}, Path: "/other"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.gateway = w.gatewayWith(t, func(c *flows.Config) {
		c.Resources = set
		c.Clients["other"].Resources = []string{w.siteURL("app") + "/mcp", w.siteURL("app") + "/other"}
	})
	w.hub.set(func() { w.hub.scope = "repo,gist" })
	issuer := w.siteURL("app") + "/.gatehouse"
	if portal {
		issuer = w.portalURL()
	}
	return w, func(change func(url.Values)) string {
		params := authorizeParams("other", "https://other.test/cb", "openid")
		params.Set("resource", w.siteURL("app")+"/mcp")
		return issuer + "/authorize?" + with(params, change).Encode()
	}
}

// oauthClientsFor are those of these ids.
func oauthClientsFor(ids ...string) (some []*client.Client) {
	for _, c := range oauthClients() {
		for _, id := range ids {
			if c.ID == id {
				some = append(some, c)
			}
		}
	}
	return some
}

// untilClient has a browser stop where it would go to the client.
func untilClient(b *browser) *browser {
	b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Hostname() == "other.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// told is what a browser brings the client.
func (b *browser) told() url.Values {
	b.t.Helper()
	to, err := url.Parse(b.last.Header.Get("Location"))
	if err != nil || to.Hostname() != "other.test" {
		b.t.Fatalf("the browser is not sent to the client, but %d %s\n%s", b.last.StatusCode, to, b.body)
	}
	return to.Query()
}

// An agent has no browser to link an account in once it has its token: who has not linked
// GitHub is led through it before the agent has its code, and asked for consent after that.
func TestConnect_IsPartOfTheSignIn(t *testing.T) {
	for name, portal := range map[string]bool{"portal": true, "single site": false} {
		t.Run(name, func(t *testing.T) {
			w, authorize := newConnecting(t, portal)
			b := untilClient(newBrowser(t))
			b.get(authorize(nil)).signIn("alice", "wonderland").want(http.StatusOK, "Connect GitHub")
			b.want(http.StatusOK, "app.sites.test")
			b.submit(nil).want(http.StatusOK, `/consent"`)
			if got := b.submit(url.Values{"decision": {"approve"}}).told(); got.Get("code") == "" {
				t.Fatalf("the client is told %v", got)
			}
			if w.subject() != w.subjectOf("alice") {
				t.Error("the account at GitHub belongs to somebody else")
			}
			// Once is enough.
			if got := b.get(authorize(nil)).told(); got.Get("code") == "" {
				t.Errorf("the second time: %v", got)
			}
			// A resource that needs no token asks for none.
			other := untilClient(newBrowser(t))
			other.get(authorize(set("resource", w.siteURL("app")+"/other"))).signIn("bob", "builder").want(http.StatusOK, `/consent"`)
		})
	}
}

// Whoever signed in a while ago does it again before an account is added to theirs, and
// still arrives at the client.
func TestConnect_AfterALongTime(t *testing.T) {
	w, authorize := newConnecting(t, true)
	b := untilClient(newBrowser(t))
	b.get(authorize(set("resource", w.siteURL("app")+"/other"))).signIn("alice", "wonderland").want(http.StatusOK, `/consent"`)
	w.clock.advance(time.Hour)
	b.get(authorize(nil)).want(http.StatusOK, "Connect GitHub").submit(nil).want(http.StatusOK, "password")
	b.signIn("alice", "wonderland").want(http.StatusOK, "Connect GitHub").submit(nil).want(http.StatusOK, `/consent"`)
	if got := b.submit(url.Values{"decision": {"approve"}}).told(); got.Get("code") == "" {
		t.Errorf("the client is told %v", got)
	}
}

// The client learns that there is nothing to be had, and nobody is led in a circle.
func TestConnect_Refused(t *testing.T) {
	_, authorize := newConnecting(t, true)
	b := untilClient(newBrowser(t))
	b.get(authorize(nil)).signIn("alice", "wonderland").want(http.StatusOK, "Connect GitHub")
	if got := b.follow("Cancel").told(); got.Get("error") != "access_denied" {
		t.Errorf("who cancels: %v", got)
	}
	if got := b.get(authorize(set("prompt", "none"))).told(); got.Get("error") != "interaction_required" {
		t.Errorf("prompt=none: %v", got)
	}
}

// Who came by the very provider goes there at once and has nothing to answer.
func TestConnect_WhoCameByIt(t *testing.T) {
	w, authorize := newConnecting(t, true)
	b := untilClient(newBrowser(t))
	b.get(authorize(nil)).follow("GitHub").want(http.StatusOK, `/consent"`)
	b.submit(url.Values{"decision": {"approve"}}).told()
	if _, err := w.gateway.RemoveProviderTokens(t.Context(), w.gateway.Vault, vault.Query{All: true}); err != nil {
		t.Fatal(err)
	}
	before := w.hub.signIns
	if got := b.get(authorize(nil)).told(); got.Get("code") == "" || w.hub.signIns != before+1 {
		t.Errorf("the client is told %v after %d sign-ins at GitHub", got, w.hub.signIns-before)
	}
	// A token that allows too little, and no other to be had: no circle.
	if _, err := w.gateway.RemoveProviderTokens(t.Context(), w.gateway.Vault, vault.Query{All: true}); err != nil {
		t.Fatal(err)
	}
	w.hub.set(func() { w.hub.scope = "repo" })
	if got := b.get(authorize(nil)).told(); got.Get("error") != "access_denied" {
		t.Errorf("GitHub allows too little, and the client is told %v", got)
	}
}
