package flows_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// twoWorlds are a portal that is the OpenID provider of another gateway.
func twoWorlds(t *testing.T, admit func(identity.Claims) bool) (op, rp *world) {
	t.Helper()
	return twoWorldsWith(t, worldOptions{admit: admit})
}

func twoWorldsWith(t *testing.T, o worldOptions) (op, rp *world) {
	t.Helper()
	return twoWorldsWrapped(t, o, func(p provider.Redirect) provider.Provider { return p })
}

// twoWorldsWrapped are twoWorlds whose provider is wrapped.
func twoWorldsWrapped(t *testing.T, o worldOptions, wrap func(provider.Redirect) provider.Provider) (op, rp *world) {
	t.Helper()
	outside := &client.Client{
		ID: "gateway", Secrets: []client.Secret{client.NewSecret("a-secret-of-the-other-gateway")}, FirstParty: true,
		Scopes: []string{"openid", "profile", "email", "groups"}, RedirectURIs: []string{"https://later.test/"},
	}
	op = newWorld(t, worldOptions{portal: true, clients: []*client.Client{outside}})
	dial := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, p, _ := net.SplitHostPort(addr)
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:"+p)
	}}}
	t.Cleanup(dial.CloseIdleConnections)
	o.providers = func(now func() time.Time) []provider.Provider {
		p, err := oidc.New(oidc.Config{
			Name: "outside", Title: "Outside", Issuer: op.portalURL(), InsecureHTTP: true, ClientID: "gateway",
			ClientSecret: "a-secret-of-the-other-gateway", Scopes: []string{"openid", "profile", "email", "groups"}, HTTPClient: dial, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		all := []provider.Provider{wrap(p)}
		if o.beside != nil {
			all = append(all, o.beside(now)...)
		}
		return all
	}
	rp = newWorld(t, o)
	outside.RedirectURIs = []string{rp.siteURL("app") + "/.gatehouse/callback/outside", rp.portalURL() + "/callback/outside"}
	outside.PostLogoutRedirectURIs = []string{rp.siteURL("app") + "/.gatehouse/logout", rp.portalURL() + "/logout"}
	outside.BackchannelLogoutURI = "http://127.0.0.1" + port(rp.site) + "/.gatehouse/backchannel_logout/outside"
	return op, rp
}

func TestProvider_SignInAtAnotherGateway(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	// One provider: the browser goes straight there.
	b.get(rp.siteURL("app")+"/reports?year=2026").want(200, "password")
	b.signIn("alice", "wonderland").want(200, "hello alice@example.com at /reports?year=2026")
	b.get(rp.siteURL("app")+"/x").want(200, "hello alice@example.com")
}

// stopAtCallback signs in at the provider and stops before the callback.
func stopAtCallback(t *testing.T, b *browser, rp *world) string {
	t.Helper()
	held := b.held()
	next := rp.siteURL("app") + "/secret"
	for range 10 {
		held.get(next)
		location := held.last.Header.Get("Location")
		if location == "" {
			held.signIn("alice", "wonderland")
			location = held.last.Header.Get("Location")
		}
		to, err := held.last.Request.URL.Parse(location)
		if err != nil || location == "" {
			t.Fatalf("lost at %s: %s", held.last.Request.URL, held.body)
		}
		if strings.HasPrefix(to.Path, "/.gatehouse/callback/") {
			return to.String()
		}
		next = to.String()
	}
	t.Fatal("the callback was not reached")
	return ""
}

func TestProvider_CallbacksOfOthersAreRefused(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	callback := stopAtCallback(t, b, rp)
	u, _ := url.Parse(callback)
	change := func(f func(url.Values)) string {
		query := u.Query()
		f(query)
		changed := *u
		changed.RawQuery = query.Encode()
		return changed.String()
	}
	held := b.held()
	newBrowser(t).get(callback).want(400, "Cookies are blocked") // login CSRF
	held.get(change(func(q url.Values) { q.Del("state") })).want(400, "started in another browser")
	held.get(change(func(q url.Values) { q.Set("state", strings.Repeat("A", 43)) })).want(400, "expired")
	held.get(change(func(q url.Values) { q.Add("code", "x") })).want(400, "ambiguous")
	held.get(change(func(q url.Values) { q.Add("state", "x") })).want(400, "ambiguous")
	held.get(change(func(q url.Values) { q.Set("error", "access_denied") })).want(400, "ambiguous")
	held.get(callback)
	if held.last.StatusCode != 303 || held.last.Header.Get("Location") != "/secret" {
		t.Fatalf("%d %s", held.last.StatusCode, held.body)
	}
	// The same address again: it leads on, and the code is not looked at.
	held.get(change(func(q url.Values) { q.Set("code", "x") }))
	if held.last.StatusCode != 303 || held.last.Header.Get("Location") != "/secret" {
		t.Fatalf("again: %d %s", held.last.StatusCode, held.body)
	}
}

func TestProvider_WrongIssuerIsMixedUp(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	callback := stopAtCallback(t, b, rp)
	b.held().get(strings.Replace(callback, "iss=http", "iss=https", 1)).want(403, "could not be accepted")
}

func TestProvider_RefusalIsAPlainPage(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	u, _ := url.Parse(stopAtCallback(t, b, rp))
	query := u.Query()
	query.Del("code")
	query.Set("error", "access_denied")
	query.Set("error_description", "<script>alert(1)</script>")
	u.RawQuery = query.Encode()
	b.held().get(u.String()).want(403, "cancelled or refused")
	if strings.Contains(b.body, "alert(1)") {
		t.Error("the provider's words are on the page")
	}
}

func TestProvider_NotAdmitted(t *testing.T) {
	_, rp := twoWorlds(t, func(c identity.Claims) bool { return c.VerifiedEmail() != "alice@example.com" })
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(403, "allowed in here")
	b.get(rp.siteURL("app") + "/x")
	if strings.Contains(b.body, "hello") {
		t.Error("somebody who is not admitted came in")
	}
}

func TestProvider_FiftyTabsAtOnce(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	b.get(rp.siteURL("app") + "/.gatehouse/logout").submit(nil)
	var all sync.WaitGroup
	for i := range 50 {
		page := "/tab/" + string(rune('a'+i%26)) + "?n=" + strings.Repeat("x", i)
		all.Go(func() {
			tab := &browser{t: t, Client: b.Client}
			tab.get(rp.siteURL("app") + page)
			for range 3 {
				if strings.Contains(tab.body, `name="password"`) {
					tab.signIn("alice", "wonderland")
				}
			}
			if !strings.Contains(tab.body, "at "+page) {
				t.Errorf("tab %s ended at %s: %.300s", page, tab.last.Request.URL, tab.body)
			}
		})
	}
	all.Wait()
}

func TestProvider_SignOutThereEndsTheSessionHere(t *testing.T) {
	op, rp := twoWorlds(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go op.gateway.Run(ctx)
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	b.get(op.portalURL()+"/logout").submit(nil).want(200, "")
	eventually(t, "the session has ended here", func() bool {
		return b.held().get(rp.siteURL("app")+"/").last.StatusCode == 303
	})
}

// TestProvider_AttemptsAreAtMostSixty: a page that begins sign-ins again and
// again must not fill the browser with cookies until every request is too large.
func TestProvider_AttemptsAreAtMostSixty(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	held := b.held()
	at, _ := url.Parse(rp.siteURL("app") + "/.gatehouse/callback/outside")
	first := ""
	for i := range 70 {
		held.get(rp.siteURL("app") + "/.gatehouse/login?return_to=/x")
		if held.last.StatusCode != 303 {
			t.Fatalf("%d %s", held.last.StatusCode, held.body)
		}
		cookies := b.Jar.Cookies(at)
		if i == 0 {
			first = cookies[0].Name
		}
		if len(cookies) > 60 {
			t.Fatalf("%d attempts in the browser", len(cookies))
		}
	}
	for _, c := range b.Jar.Cookies(at) {
		if c.Name == first {
			t.Error("the oldest attempt is still there")
		}
	}
	app, _ := url.Parse(rp.siteURL("app") + "/reports")
	if got := b.Jar.Cookies(app); len(got) != 0 {
		t.Errorf("the app's addresses see %v", got)
	}
}

// RFC 6749, section 4.1.2.1: who cancels at the provider has refused the client, and
// the client is told. A guarded site has nobody to tell but the person.
func TestProvider_CancellationIsTheClientsToKnow(t *testing.T) {
	_, rp := twoWorldsWith(t, worldOptions{portal: true, clients: oauthClients()})
	params := authorizeParams("web", "https://web.test/cb", "openid")
	cancelled := func(begin, code string) *browser {
		t.Helper()
		b := newBrowser(t).held()
		b.get(begin)
		asked, err := url.Parse(b.last.Header.Get("Location"))
		if err != nil || asked.Query().Get("redirect_uri") == "" {
			t.Fatalf("%d to %s", b.last.StatusCode, asked)
		}
		b.get(asked.Query().Get("redirect_uri") + "?" + url.Values{"error": {code}, "state": {asked.Query().Get("state")}}.Encode())
		return b
	}
	b := cancelled(rp.portalURL()+"/authorize?"+params.Encode(), "access_denied")
	if got := b.arrived(); got.Get("error") != "access_denied" || got.Get("state") != params.Get("state") || got.Get("iss") != rp.portalURL() || !describes(got.Get("error_description")) {
		t.Errorf("a client: %d %v", b.last.StatusCode, got)
	}
	cancelled(rp.portalURL()+"/authorize?"+params.Encode(), "server_error").want(http.StatusForbidden, "Try again")

	site := newBrowser(t).held()
	site.get(rp.siteURL("one") + "/.gatehouse/login")
	cancelled(site.last.Header.Get("Location"), "access_denied").want(http.StatusForbidden, "cancelled or refused")
}
