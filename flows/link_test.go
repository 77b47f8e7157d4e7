package flows_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// newLinking is a world of people with passwords, whose sites pass on the tokens of
// GitHub with the scope gist.
func newLinking(t *testing.T, portal bool, clients ...*client.Client) hubbed {
	t.Helper()
	return newLinkingOf(t, portal, func(p provider.Provider) provider.Provider { return p }, clients...)
}

// newLinkingOf is newLinking whose passwords are checked by another provider.
func newLinkingOf(t *testing.T, portal bool, wrap func(provider.Provider) provider.Provider, clients ...*client.Client) hubbed {
	t.Helper()
	h := &oauthApp{revoked: map[string]bool{}, scope: "repo"}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	w := newWorld(t, worldOptions{portal: portal, clients: clients, providers: func(now func() time.Time) []provider.Provider {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		p, err := github.New(github.Config{
			Name: "github", ClientID: "app", ClientSecret: "secret", BaseURL: h.url, Scopes: []string{"repo"}, HTTPClient: &http.Client{Transport: transport}, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{wrap(localProvider(t, now)), p}
	}})
	w.passes = "github"
	config := w.gateway.Config
	var err error
	config.Vault, err = vault.New(vault.Config{
		Store: w.store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger,
		Sources: []vault.Source{{Provider: config.Providers[1], Scopes: []string{"gist"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	return hubbed{w, h}
}

func inBothLinkingModes(t *testing.T, test func(t *testing.T, w hubbed)) {
	t.Helper()
	for name, portal := range map[string]bool{"single site": false, "portal": true} {
		t.Run(name, func(t *testing.T) { test(t, newLinking(t, portal)) })
	}
}

const deepURL = "/deep?x=1&y=%2F"

// arrives signs in by password at a page whose site wants GitHub.
func (w hubbed) arrives(user, password string) *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(w.siteURL("app")+deepURL).signIn(user, password).want(http.StatusForbidden, "Connect GitHub")
	return b
}

// links follows the page's link and connects.
func (w hubbed) links(b *browser) *browser {
	w.t.Helper()
	b.follow("Connect GitHub").want(http.StatusOK, "You sign in at")
	return b.submit(nil)
}

func (w hubbed) subjectOf(user string) string {
	w.t.Helper()
	s, err := w.store.FindSubject(w.t.Context(), tokenstore.Identity{Issuer: "local", Subject: user})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.ID
}

// Who has not linked the provider is led there and back to the very request, and stays
// who they are.
func TestLink_LeadsThereAndBack(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		b := w.arrives("alice", "wonderland")
		w.links(b).want(http.StatusOK, "hello alice at "+deepURL)
		if got := b.last.Header.Get("Upstream-Authorization"); got != "Bearer gho_1" {
			t.Errorf("passed on is %q", got)
		}
		if got := w.subject(); got != w.subjectOf("alice") {
			t.Errorf("the identity at GitHub belongs to %s", got)
		}
		// It is a way to sign in, as the same subject, by what GitHub says of them.
		other := newBrowser(t)
		other.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "hello ")
		if strings.Contains(other.body, "alice") {
			t.Errorf("who came by GitHub is called as the other provider calls them: %s", other.body)
		}
		if got := w.subject(); got != w.subjectOf("alice") {
			t.Errorf("signing in by GitHub made %s", got)
		}
	})
}

// A program is told where the person can connect, and no loop begins.
func TestLink_Programs(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		b := w.arrives("alice", "wonderland")
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.siteURL("app")+"/api", nil)
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Referer", w.siteURL("app")+"/from")
		b.held().do(req)
		fetch := b.held().do(req)
		var said struct {
			Link  string `json:"link_url"`
			Login string `json:"login_url"`
		}
		if err := json.Unmarshal([]byte(fetch.body), &said); err != nil || fetch.last.StatusCode != http.StatusForbidden {
			t.Fatalf("a program: %d %s", fetch.last.StatusCode, fetch.body)
		}
		u, err := url.Parse(said.Link)
		if err != nil || u.Query().Get("provider") != "github" || u.Query().Get("return_to") != w.siteURL("app")+"/from" || said.Login != "" {
			t.Fatalf("a program is sent to %q, %q", said.Link, said.Login)
		}
		b.get(said.Link).want(http.StatusOK, "You sign in at")
		b.submit(nil).want(http.StatusOK, "hello alice at /from")
	})
}

// What begins a link, and what ends it, is one session in one browser; an identity that
// belongs to somebody else never moves.
func TestLink_IsBoundAndNeverTakes(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		alice := w.arrives("alice", "wonderland")
		page := alice.follow("Connect GitHub")
		asked, address := *page, page.last.Request.URL.String()

		// A link alone does nothing, and neither does a form of another person.
		if alice.get(address); w.hub.signIns != 0 {
			t.Error("a GET began a link")
		}
		bob := w.arrives("bob", "builder")
		bob.last, bob.body = asked.last, asked.body
		bob.submit(nil).want(http.StatusBadRequest, "start again")
		// Begun by alice, finished in bob's browser.
		held := alice.get(address).held()
		held.last, held.body = alice.last, alice.body
		held.submit(nil)
		w.hub.set(func() { w.hub.signIns++ })
		to, err := url.Parse(held.last.Header.Get("Location"))
		if err != nil || to.Query().Get("state") == "" {
			t.Fatalf("the way to GitHub is %q", held.last.Header.Get("Location"))
		}
		back := to.Query().Get("redirect_uri") + "?" + url.Values{"code": {"code"}, "state": {to.Query().Get("state")}}.Encode()
		bob.get(back).want(http.StatusBadRequest, "started in another browser")
		if _, err := w.store.FindSubject(t.Context(), tokenstore.Identity{Issuer: w.hub.url, Subject: "7"}); err == nil {
			t.Fatal("the identity was linked")
		}

		w.links(bob.get(w.siteURL("app")+deepURL)).want(http.StatusOK, "hello bob")
		w.links(alice.get(w.siteURL("app")+deepURL)).want(http.StatusConflict, "belongs to somebody else")
		if got := w.subject(); got != w.subjectOf("bob") {
			t.Errorf("the identity moved to %s", got)
		}
		alice.get(w.siteURL("app")+deepURL).want(http.StatusForbidden, "Connect GitHub")
	})
}

// Whoever finds an open browser signs in before a link is made.
func TestLink_NeedsAFreshSignIn(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		b := w.arrives("alice", "wonderland")
		w.clock.advance(20 * time.Minute)
		b.get(w.siteURL("app")+deepURL).want(http.StatusForbidden, "Connect GitHub")
		w.links(b).want(http.StatusOK, `type="password"`)
		b.signIn("alice", "wonderland").want(http.StatusOK, "You sign in at")
		b.submit(nil).want(http.StatusOK, "hello alice at "+deepURL)
	})
}

// longAgo is a provider where people proved who they are an hour ago, whatever it is
// asked for.
type longAgo struct{ provider.Password }

func (p longAgo) Authenticate(ctx context.Context, username, password string) (identity.Claims, error) {
	c, err := p.Password.Authenticate(ctx, username, password)
	c.AuthTime = c.AuthTime.Add(-time.Hour)
	return c, err
}

// A session of just now is no proof: its provider may have sent the person back without a
// question (single sign-on), as it says by auth_time (OpenID Connect Core, section 2).
func TestLink_NeedsAProofNotASession(t *testing.T) {
	for _, portal := range []bool{false, true} {
		w := newLinkingOf(t, portal, func(p provider.Provider) provider.Provider { return longAgo{p.(provider.Password)} })
		b := w.arrives("alice", "wonderland")
		w.links(b).want(http.StatusOK, `type="password"`)
		b.signIn("alice", "wonderland").want(http.StatusOK, "You sign in at")
		// There is no loop: who has just been asked is told.
		b.submit(nil).want(http.StatusForbidden, "needs a sign-in of just now")
		if w.hub.signIns != 0 {
			t.Error("the link was begun")
		}
		b.follow("Try again").want(http.StatusOK, "You sign in at")
		b.submit(nil).want(http.StatusOK, `type="password"`)
	}
}

// No link leads to an address outside our own.
func TestLink_ReturnsToOurSitesOnly(t *testing.T) {
	w := newLinking(t, true)
	for _, to := range []string{
		"https://evil.test/", "//evil.test/", "http://app.sites.test.evil.test/", "javascript:alert(1)", "http://evil@app.sites.test/",
		w.siteURL("app") + "/.gatehouse/logout",
	} {
		b := w.arrives("alice", "wonderland")
		b.get(w.portalURL()+"/link?"+url.Values{"provider": {"github"}, "return_to": {to}}.Encode()).want(http.StatusOK, "You sign in at")
		b.held()
		b.submit(nil)
		if at := b.last.Request.URL; !strings.HasPrefix(at.String(), w.portalURL()) && !strings.HasPrefix(at.String(), w.siteURL("app")+"/") {
			t.Errorf("%s leads to %s", to, at)
		}
		if strings.Contains(b.last.Request.URL.Path, "logout") {
			t.Errorf("%s leads to %s", to, b.last.Request.URL)
		}
		if err := w.store.Unlink(t.Context(), w.subjectOf("alice"), tokenstore.Identity{Issuer: w.hub.url, Subject: "7"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.gateway.RemoveProviderTokens(t.Context(), w.gateway.Vault, vault.Query{All: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// A route that wants more scope asks for it on top of what was allowed, once.
func TestLink_MoreScope(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		b := w.arrives("alice", "wonderland")
		w.links(b).want(http.StatusOK, "hello alice")
		w.wants = []string{"gist"}
		b.get(w.siteURL("app")+deepURL).want(http.StatusForbidden, "Connect GitHub")
		w.hub.set(func() { w.hub.scope = "repo,gist" })
		b.follow("Connect GitHub").want(http.StatusOK, "gist")
		b.submit(nil).want(http.StatusOK, "hello alice at "+deepURL)
		w.hub.set(func() {
			if got := w.hub.asked; got != "repo gist" {
				t.Errorf("GitHub was asked for %q", got)
			}
			w.hub.scope = "repo"
		})
		// A sign-in with less leaves it, and a link asks for nothing that no site wants.
		b.get(w.siteURL("app")+deepURL).want(http.StatusOK, "hello alice")
		at := w.portalURL()
		if !w.gateway.HasPortal() {
			at = w.siteURL("app") + "/.gatehouse"
		}
		b.get(at+"/link?provider=github&scope=admin:org").want(http.StatusOK, "You sign in at")
		if strings.Contains(b.body, "admin:org") {
			t.Error("a stranger's link asks for a scope of its own")
		}
	})
}

// Who came by the provider itself is sent there for more scope without a page, and
// where it gives no more sees one page.
func TestRouteScope_AtTheProviderOfTheSignIn(t *testing.T) {
	inBothModes(t, func(t *testing.T, w hubbed) {
		b := newBrowser(t)
		w.opens(b, 1)
		w.wants = []string{"gist"}
		w.gateway.Vault.Forget(w.subject())
		b.get(w.siteURL("app")+deepURL).want(http.StatusBadGateway, "No access to GitHub")
		w.hub.set(func() {
			if w.hub.asked != "repo gist" {
				t.Errorf("GitHub was asked for %q", w.hub.asked)
			}
			w.hub.scope = "repo,gist"
		})
		w.signedIn(2)
		b.get(w.siteURL("app")+deepURL).want(http.StatusBadGateway, "No access to GitHub")
		w.signedIn(2)
		b.follow("Sign in at GitHub").want(http.StatusOK, "hello ")
		if b.last.Request.URL.RequestURI() != deepURL {
			t.Errorf("came back to %s", b.last.Request.URL)
		}
		w.signedIn(3)
	})
}

// On their own page people see how they can sign in, and disconnect what they do not
// use, with its token and its sessions; never the last one.
func TestUnlink_OnTheOwnPage(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		home := w.siteURL("app") + "/.gatehouse/"
		if w.gateway.HasPortal() {
			home = w.portalURL() + "/"
		}
		b := w.arrives("alice", "wonderland")
		b.get(home).want(http.StatusOK, "/link?provider=github")
		w.links(b.get(w.siteURL("app")+deepURL)).want(http.StatusOK, "hello alice")
		byGitHub := newBrowser(t)
		byGitHub.get(w.siteURL("app")+deepURL).follow("GitHub").want(http.StatusOK, "hello ")

		b.get(home).want(http.StatusOK, "used now")
		button := regexp.MustCompile(`name="identity" value="([^"]+)"`).FindStringSubmatch(b.body)
		if button == nil || strings.Count(b.body, `name="identity"`) != 1 {
			t.Fatalf("the page offers %v", button)
		}
		b.submit(url.Values{"identity": {button[1]}}).want(http.StatusOK, "Disconnected.")
		b.submit(url.Values{"identity": {button[1]}}).want(http.StatusOK, "ended already")
		b.get(w.siteURL("app")+deepURL).want(http.StatusForbidden, "Connect GitHub")
		eventually(t, "the session by GitHub has ended", func() bool {
			return byGitHub.held().get(w.siteURL("app")+deepURL).last.StatusCode == http.StatusSeeOther
		})
		if _, err := w.store.ProviderToken(t.Context(), w.subjectOf("alice"), w.hub.url); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("the token is still there: %v", err)
		}
		if err := w.gateway.Unlink(t.Context(), w.subjectOf("alice"), tokenstore.Identity{Issuer: "local", Subject: "alice"}); !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("the last identity was unlinked: %v", err)
		}
	})
}

// Two people who link one identity at once: one has it, the other is told so, whoever
// comes first.
func TestLink_TwoAtOnce(t *testing.T) {
	inBothLinkingModes(t, func(t *testing.T, w hubbed) {
		browsers := []*browser{w.arrives("alice", "wonderland"), w.arrives("bob", "builder")}
		for _, b := range browsers {
			b.follow("Connect GitHub").want(http.StatusOK, "You sign in at")
		}
		statuses := make([]int, len(browsers))
		var wg sync.WaitGroup
		for i, b := range browsers {
			wg.Go(func() { statuses[i] = b.submit(nil).last.StatusCode })
		}
		wg.Wait()
		slices.Sort(statuses)
		if statuses[0] != http.StatusOK || statuses[1] != http.StatusConflict {
			t.Errorf("answered are %v, want one 200 and one 409", statuses)
		}
		owner := w.subject()
		if owner != w.subjectOf("alice") && owner != w.subjectOf("bob") {
			t.Error("the identity belongs to neither")
		}
	})
}
