package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// cookieAt is the browser's session cookie at a site.
func (b *browser) cookieAt(site string) *http.Cookie {
	b.t.Helper()
	u, err := url.Parse(site)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "gatehouse" {
			return c
		}
	}
	b.t.Fatal("no session cookie at " + site)
	return nil
}

// wantChallenge fails unless a program with these headers is told what to come back
// with (RFC 9470, section 3).
func (w *world) wantChallenge(site string, params []string, headers ...string) said {
	w.t.Helper()
	got := w.send(http.MethodGet, site+"/admin/x", "", headers...)
	said := strings.Join(got.header.Values("Www-Authenticate"), "\n")
	for _, p := range append(params, `error="insufficient_user_authentication"`) {
		if got.status != http.StatusUnauthorized || !strings.Contains(said, p) {
			w.t.Errorf("no %s: %d %s", p, got.status, said)
		}
	}
	return got
}

// onPostgres has a world keep what lasts in Postgres.
func onPostgres(t *testing.T) func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store) {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Options{URL: postgrestest.URL(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func(_ tokenstore.Store, short cache.Store) (tokenstore.Store, cache.Store) { return store, short }
}

// A place that wants a recent sign-in has the password asked again, and no other place
// does. The new handle takes the old one's place: a stolen copy is raised by nothing.
func TestStepUp_ByPassword(t *testing.T) {
	for name, o := range map[string]worldOptions{
		"portal": {portal: true}, "single site": {}, "portal on Postgres": {portal: true, wrap: onPostgres(t)}, "single site on Postgres": {wrap: onPostgres(t)},
	} {
		w := newWorld(t, o)
		t.Log(name)
		w.require = &stepup.Requirement{MaxAge: 10 * time.Minute}
		w.clock.hold(0)
		one := w.siteURL("one")
		b := newBrowser(t)
		b.get(one+"/admin/x?a=b").signIn("alice", "wonderland").want(http.StatusOK, "hello alice at /admin/x?a=b")
		stolen := b.cookieAt(one)
		w.clock.advance(11 * time.Minute)
		b.get(one+"/other").want(http.StatusOK, "hello alice")
		b.get(one+"/admin/x?a=b").want(http.StatusOK, "password")
		question := *b
		b.signIn("bob", "builder").want(http.StatusForbidden, "another account")
		b.get(one+"/other").want(http.StatusOK, "hello alice")
		question.signIn("alice", "wonderland").want(http.StatusOK, "hello alice at /admin/x?a=b")
		b.get(one+"/admin/y").want(http.StatusOK, "hello alice at /admin/y")
		if b.cookieAt(one).Value == stolen.Value {
			t.Error("the handle is the old one")
		}
		got := w.wantChallenge(one, []string{`max_age="600"`}, "Cookie: gatehouse="+stolen.Value)
		if !strings.Contains(got.answer.text("login_url"), "/.gatehouse/login?step=") {
			t.Errorf("login_url is %q", got.answer.text("login_url"))
		}
		// A step that nobody sealed asks for nothing.
		b.get(one+"/.gatehouse/login?step=AAAA&return_to=%2Fother").want(http.StatusOK, "hello alice at /other")
	}
}

// leveled is a provider that signs people in by the class that it is asked for, as far
// as it has that.
type leveled struct {
	provider.Redirect
	has   map[string]bool
	asked *[]provider.AuthRequest
}

func (p leveled) AuthURL(ctx context.Context, r provider.AuthRequest) (string, error) {
	*p.asked = append(*p.asked, r)
	return p.Redirect.AuthURL(ctx, r)
}

func (p leveled) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	result, err := p.Redirect.Exchange(ctx, c)
	result.Claims.ACR = "bronze"
	if last := (*p.asked)[len(*p.asked)-1]; p.has[last.ACRValues] {
		result.Claims.ACR = last.ACRValues
	}
	return result, err
}

// A level has an age of its own, and one does not drive out the other; what a provider
// does not have ends on a page.
func TestStepUp_ByClass(t *testing.T) {
	for _, portal := range []bool{true, false} {
		var asked []provider.AuthRequest
		op, rp := twoWorldsWrapped(t, worldOptions{portal: portal, portalHost: "rp.test"}, func(p provider.Redirect) provider.Provider {
			return leveled{p, map[string]bool{"gold": true, "silver": true}, &asked}
		})
		op.clock.hold(0)
		rp.clock.hold(0)
		app := rp.siteURL("app")
		b := newBrowser(t)
		b.get(app+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice@example.com")
		for _, acr := range []string{"gold", "silver", "gold", "silver"} {
			rp.require = &stepup.Requirement{ACR: []string{acr}}
			b.get(app+"/admin/"+acr).want(http.StatusOK, "hello alice@example.com at /admin/"+acr)
		}
		if len(asked) != 3 {
			t.Errorf("the provider was asked %d times, want the sign-in and once for each class", len(asked))
		}
		// Gold is eleven minutes old when silver is proved anew, and stays so.
		op.clock.advance(11 * time.Minute)
		rp.clock.advance(11 * time.Minute)
		rp.require = &stepup.Requirement{ACR: []string{"silver"}, MaxAge: 10 * time.Minute}
		b.get(app+"/admin/").want(http.StatusOK, "password")
		b.signIn("alice", "wonderland").want(http.StatusOK, "hello alice@example.com at /admin/")
		rp.require = &stepup.Requirement{ACR: []string{"gold"}, MaxAge: 10 * time.Minute}
		rp.wantChallenge(app, []string{`acr_values="gold"`, `max_age="600"`}, "Cookie: gatehouse="+b.cookieAt(app).Value)

		rp.require = &stepup.Requirement{ACR: []string{"platinum"}}
		before := len(asked)
		// She signed in just now, but not for this: who has not been asked is asked.
		b.get(app+"/admin/").want(http.StatusOK, "password")
		b.signIn("alice", "wonderland").want(http.StatusForbidden, "unmet_authentication_requirements")
		if n := len(asked) - before; n != 2 || asked[len(asked)-1].Prompt != "login" {
			t.Errorf("the provider was asked %d times for what it does not have", n)
		}
		b.get(app+"/").want(http.StatusOK, "hello alice@example.com")
	}
}

// stale says that people signed in long ago, whatever it is asked for.
type stale struct {
	provider.Redirect
	now func() time.Time
}

func (p stale) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	c.MaxAge = -1
	result, err := p.Redirect.Exchange(ctx, c)
	result.Claims.AuthTime = p.now().Add(-time.Hour)
	return result, err
}

// Providers that pass max_age and prompt over end in a clear refusal, and in no loop.
func TestStepUp_AtAProviderThatDoesNotAsk(t *testing.T) {
	for name, wrap := range map[string]func(provider.Redirect) provider.Provider{
		"old auth_time": func(p provider.Redirect) provider.Provider { return stale{p, time.Now} },
		"no auth_time":  func(p provider.Redirect) provider.Provider { return timeless{p} },
	} {
		var asked []provider.AuthRequest
		_, rp := twoWorldsWrapped(t, worldOptions{portal: true, portalHost: "rp.test"}, func(p provider.Redirect) provider.Provider {
			return leveled{wrap(p).(provider.Redirect), nil, &asked}
		})
		rp.require = &stepup.Requirement{MaxAge: 10 * time.Minute}
		b := newBrowser(t)
		b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello")
		b.get(rp.siteURL("app") + "/admin/")
		for range 3 { // the other gateway does as it is asked
			if strings.Contains(b.body, `type="password"`) {
				b.signIn("alice", "wonderland")
			}
		}
		b.want(http.StatusForbidden, "unmet_authentication_requirements")
		if last := asked[len(asked)-1]; len(asked) != 3 || last.Prompt != "login" || last.MaxAge != 10*time.Minute {
			t.Errorf("%s: asked %d times, at last %+v", name, len(asked), last)
		}
		b.get(rp.siteURL("app")+"/").want(http.StatusOK, "hello")
	}
}

// RFC 9470, sections 4 and 5: a client comes back with what it was challenged for, its
// new token opens the place, and the old one says what it said.
func TestStepUp_OfAClient(t *testing.T) {
	var asked []provider.AuthRequest
	op, rp := twoWorldsWrapped(t, worldOptions{portal: true, portalHost: "rp.test", clients: oauthClients(), acrs: []string{"gold", "platinum"}}, func(p provider.Redirect) provider.Provider {
		return leveled{p, map[string]bool{"gold": true}, &asked}
	})
	op.clock.hold(0)
	rp.clock.hold(0)
	rp.require = &stepup.Requirement{ACR: []string{"gold"}, MaxAge: 10 * time.Minute}
	app := rp.siteURL("app")
	b := newBrowser(t)
	b.get(app+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello")
	params := with(authorizeParams("web", "https://web.test/cb", "openid"), set("resource", app))
	token := func(change func(url.Values)) string {
		t.Helper()
		code := viaProvider(t, b.held(), rp, with(params, change))
		return rp.call("token", redeem(code.Get("code")), basic("web")).answer.text("access_token")
	}
	old := token(nil)
	if got := rp.send(http.MethodGet, app+"/x", "", "Authorization: Bearer "+old); got.status != http.StatusOK {
		t.Fatalf("the token opens nothing: %d %s", got.status, got.text)
	}
	rp.wantChallenge(app, []string{`acr_values="gold"`, `max_age="600"`}, "Authorization: Bearer "+old)
	raised := token(func(v url.Values) { v.Set("acr_values", "gold"); v.Set("max_age", "600") })
	if _, claims := claimsOf(t, raised); claims["acr"] != "gold" || claims["auth_time"] == nil {
		t.Errorf("the token says acr %v, auth_time %v", claims["acr"], claims["auth_time"])
	}
	if got := rp.send(http.MethodGet, app+"/admin/x", "", "Authorization: Bearer "+raised); got.status != http.StatusOK {
		t.Errorf("the raised token: %d %s", got.status, got.text)
	}
	rp.wantChallenge(app, nil, "Authorization: Bearer "+old)
	for _, c := range []struct{ prompt, acr, error string }{
		{"", "platinum", "unmet_authentication_requirements"},
		{"none", "platinum", "login_required"},
		{"", "urn:of:nobody", ""}, // a wish (OpenID Connect Core, section 3.1.2.1)
	} {
		got := viaProvider(t, b.held(), rp, with(params, func(v url.Values) { v.Set("acr_values", c.acr); v.Set("prompt", c.prompt) }))
		if got.Get("error") != c.error {
			t.Errorf("acr_values=%s: %v", c.acr, got)
		}
	}
	rp.require = &stepup.Requirement{Scope: []string{"files:write"}}
	got := rp.send(http.MethodGet, app+"/admin/x", "", "Authorization: Bearer "+raised)
	if said := got.header.Get("Www-Authenticate"); got.status != http.StatusForbidden || !strings.Contains(said, `error="insufficient_scope"`) || !strings.Contains(said, `scope="files:write"`) {
		t.Errorf("without the scope: %d %s", got.status, said)
	}
	b.get(app+"/admin/x").want(http.StatusOK, "hello")
}
