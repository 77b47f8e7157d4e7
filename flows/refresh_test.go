package flows_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestRefresh_RotatesAndToleratesALostAnswer(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	start := func() string {
		code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid profile offline_access"))
		return web.post("token", redeem(code)).text("refresh_token")
	}
	refresh := func(token string, more ...string) answer {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return web.post("token", form)
	}
	one := start()
	two := refresh(one)
	if two.status != 200 || two.text("refresh_token") == one {
		t.Fatalf("%d %v", two.status, two.body)
	}
	if again := refresh(one); again.text("refresh_token") != two.text("refresh_token") {
		t.Errorf("a retry inside the grace got another successor: %v", again.body)
	}
	three := refresh(two.text("refresh_token"), "scope", "openid")
	if three.text("scope") != "openid" {
		t.Errorf("the scope was not narrowed: %v", three.body)
	}
	if got := refresh(three.text("refresh_token"), "scope", "openid groups"); got.text("error") != "invalid_scope" {
		t.Errorf("the scope was widened: %v", got.body)
	}
	if got := (app{t, w, "other", "other-secret-of-enough-length"}).post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {three.text("refresh_token")}}); got.text("error") != "invalid_grant" {
		t.Errorf("another client refreshed: %v", got.body)
	}
	// Refusals consumed nothing, even after the grace.
	w.clock.advance(time.Minute)
	four := refresh(three.text("refresh_token"))
	if four.status != 200 {
		t.Fatalf("after refusals: %v", four.body)
	}
	// An old one after the grace ends the family.
	if got := refresh(one); got.text("error") != "invalid_grant" {
		t.Errorf("reuse: %v", got.body)
	}
	if got := refresh(four.text("refresh_token")); got.text("error") != "invalid_grant" {
		t.Errorf("the family survived a reuse: %v", got.body)
	}
	for _, junk := range []string{"gtr_", one[:len(one)-1], one + "A", two.text("access_token"), "gtr_" + strings.Repeat("A", 5000)} {
		if got := refresh(junk); got.text("error") != "invalid_grant" {
			t.Errorf("junk %.20q: %v", junk, got.body)
		}
	}
}

// What the configuration takes from a client, its old refresh tokens give no
// more; a refusal consumes nothing, so that it may be given back.
func TestRefresh_GivesWhatTheClientMayHaveNow(t *testing.T) {
	clients := oauthClients()
	config := clients[0]
	all := config.Scopes
	config.Resources = []string{"https://one.test", "https://two.test"}
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	params := authorizeParams("web", "https://web.test/cb", "openid groups offline_access")
	params["resource"] = config.Resources
	current := web.post("token", redeem(w.code(w.signedInBrowser(), params))).text("refresh_token")
	refresh := func(scope string) answer {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {current}}
		if scope != "" {
			form.Set("scope", scope)
		}
		got := web.post("token", form)
		if got.status == 200 {
			current = got.text("refresh_token")
		}
		return got
	}
	if got := refresh(""); got.text("scope") != "openid groups offline_access" {
		t.Fatalf("as it was: %d %v", got.status, got.body)
	}
	config.Scopes = []string{"openid", "offline_access"}
	if got := refresh(""); got.text("scope") != "openid offline_access" {
		t.Errorf("without groups: %d %v", got.status, got.body)
	}
	if got := refresh("openid groups"); got.text("error") != "invalid_scope" {
		t.Errorf("asking for groups: %d %v", got.status, got.body)
	}
	config.Scopes = []string{"openid"}
	if got := refresh(""); got.text("error") != "invalid_grant" {
		t.Errorf("without offline_access: %d %v", got.status, got.body)
	}
	config.Scopes, config.Resources = all, []string{"https://two.test", "https://three.test"}
	if got := audienceOf(t, said{answer: refresh("")}); !slices.Equal(got, []string{"https://two.test"}) {
		t.Errorf("with one resource left, the audience is %q", got)
	}
	config.Resources = []string{"https://three.test"}
	if got := refresh(""); got.text("error") != "invalid_target" {
		t.Errorf("with none left: %d %v", got.status, got.body)
	}
	config.Resources = []string{"https://one.test", "https://two.test"}
	if got := refresh(""); got.text("scope") != "openid groups offline_access" {
		t.Errorf("given back: %d %v", got.status, got.body)
	}
}

// muteCache tells nobody anything.
type muteCache struct{ cache.Store }

func (muteCache) Announce(context.Context, cache.Announcement) error { return cache.ErrUnavailable }

func TestRefresh_ReuseEndsAccessAtOnceWithoutTheCache(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return s, muteCache{c}
	}})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	first := web.post("token", redeem(w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
	active := func() bool {
		return web.post("introspect", url.Values{"token": {first.text("access_token")}}).body["active"] == true
	}
	if !active() {
		t.Fatal("the access token is not active")
	}
	refresh := func(token string) answer {
		return web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	if got := refresh(refresh(first.text("refresh_token")).text("refresh_token")); got.status != 200 {
		t.Fatal(got.body)
	}
	if got := refresh(first.text("refresh_token")); got.text("error") != "invalid_grant" {
		t.Errorf("reuse: %v", got.body)
	}
	if active() {
		t.Error("this node serves a family that it has revoked")
	}
}
