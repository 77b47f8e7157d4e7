package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// refreshClients are logoutClients that are given these refresh tokens; other asks
// people for their consent.
func refreshClients(r client.RefreshTokens) []*client.Client {
	clients := logoutClients()
	for _, c := range clients {
		c.RefreshTokens = r
	}
	return clients
}

func refreshForm(got answer) url.Values {
	return url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {got.text("refresh_token")}}
}

// Which refresh token a client gets, and what it is told of its scope (RFC 6749,
// section 3.3; OpenID Connect Core, section 11).
func TestRefreshTokens_WhoGetsOne(t *testing.T) {
	for _, c := range []struct {
		tokens      client.RefreshTokens
		asked, told string
		given       bool
	}{
		{client.RefreshSession, "openid", "openid", true},
		{client.RefreshSession, "openid offline_access", "openid", true},
		{client.RefreshSession, "", "openid profile email groups", true},
		{client.RefreshOffline, "openid", "openid", false},
		{client.RefreshOffline, "openid offline_access", "openid offline_access", true},
		{client.RefreshOffline, "", "openid profile email groups", false},
		{client.RefreshAlways, "openid", "openid offline_access", true},
		{client.RefreshAlways, "openid offline_access", "openid offline_access", true},
		{client.RefreshAlways, "", "openid profile email groups offline_access", true},
		{"", "openid", "openid", false}, // the default is as it was
		{"", "openid offline_access", "openid offline_access", true},
	} {
		w := newWorld(t, worldOptions{portal: true, clients: refreshClients(c.tokens)})
		b := w.signedInBrowser()
		web := app{t, w, "web", "web-secret-of-enough-length"}
		params := authorizeParams("web", "https://web.test/cb", c.asked)
		got := web.post("token", redeem(w.code(b, params)))
		if got.status != http.StatusOK || (got.text("refresh_token") != "") != c.given || got.text("scope") != c.told {
			t.Errorf("%s, %q by code: %v", c.tokens, c.asked, got.body)
		}
		if c.given {
			again := web.post("token", with(refreshForm(got), set("scope", strings.Fields(c.asked + " openid")[0])))
			if again.status != http.StatusOK || again.text("refresh_token") == "" {
				t.Errorf("%s, %q refreshed: %v", c.tokens, c.asked, again.body)
			}
			if said := web.post("introspect", url.Values{"token": {again.text("refresh_token")}}); said.body["active"] != true {
				t.Errorf("%s, %q introspected: %v", c.tokens, c.asked, said.body)
			}
		}
		cli := app{t, w, "cli", ""}
		device := cli.post("device_authorization", url.Values{"scope": {c.asked}})
		person := newBrowser(t)
		person.get(device.text("verification_uri_complete")).signIn("alice", "wonderland")
		person.submit(url.Values{"decision": {"approve"}}).want(http.StatusOK, "")
		got = cli.poll(device)
		if got.status != http.StatusOK || (got.text("refresh_token") != "") != c.given || got.text("scope") != c.told {
			t.Errorf("%s, %q by device: %v", c.tokens, c.asked, got.body)
		}
	}
}

// A refresh token that ends with the sign-in does so whichever way that ends; one of
// offline access stays, unless all of the person's end.
func TestRefreshTokens_EndWithTheSignIn(t *testing.T) {
	type scene struct {
		*world
		b   *browser
		got answer
	}
	ways := map[string]struct {
		end    func(t *testing.T, s scene)
		spares bool // offline access
	}{
		"signed out at the portal": {func(_ *testing.T, s scene) {
			s.b.get(s.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
		}, true},
		"signed out at a site": {func(_ *testing.T, s scene) {
			s.b.get(s.siteURL("one")+"/.gatehouse/logout").submit(nil).want(http.StatusOK, "You are signed out")
		}, true},
		"signed out after a second sign-in": {func(_ *testing.T, s scene) {
			s.signInAgain(s.b, "login", "alice", "wonderland")
			s.b.get(s.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
		}, true},
		"somebody else signs in": {func(_ *testing.T, s scene) {
			s.signInAgain(s.b, "login", "bob", "builder")
		}, true},
		"signed out by another client": {func(_ *testing.T, s scene) {
			other := s.otherIDToken(s.b)
			s.b.get(s.portalURL()+"/logout?id_token_hint="+other).want(http.StatusOK, "You are signed out")
		}, true},
		"signed out by the client itself": {func(_ *testing.T, s scene) {
			s.b.get(s.portalURL()+"/logout?id_token_hint="+s.got.text("id_token")).want(http.StatusOK, "You are signed out")
		}, false}, // the hint names it
		"ended by the operator": {func(t *testing.T, s scene) {
			if err := s.gateway.EndSession(t.Context(), s.portalSession().ID); err != nil {
				t.Fatal(err)
			}
		}, true},
		"all ended by the operator": {func(t *testing.T, s scene) {
			if err := s.gateway.EndSubject(t.Context(), s.portalSession().Subject); err != nil {
				t.Fatal(err)
			}
		}, false},
		"suspended": {func(t *testing.T, s scene) {
			if err := s.store.Suspend(t.Context(), s.portalSession().Subject, true); err != nil {
				t.Fatal(err)
			}
		}, false},
		"idle for too long": {func(_ *testing.T, s scene) { s.clock.advance(7*24*time.Hour + time.Minute) }, false},
	}
	for way, c := range ways {
		for _, tokens := range []client.RefreshTokens{client.RefreshSession, client.RefreshOffline} {
			t.Run(way+": "+string(tokens), func(t *testing.T) {
				w := newWorld(t, worldOptions{portal: true, clients: refreshClients(tokens)})
				web := app{t, w, "web", "web-secret-of-enough-length"}
				b := w.signedInBrowser()
				got := web.post("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
				got = withIDToken(got, web.post("token", refreshForm(got)))
				if got.text("refresh_token") == "" {
					t.Fatalf("%v", got.body)
				}
				c.end(t, scene{w, b, got})
				after := web.post("token", refreshForm(got))
				if stays := tokens == client.RefreshOffline && c.spares; stays != (after.status == http.StatusOK) || !stays && after.text("error") != "invalid_grant" {
					t.Errorf("refreshed after: %d %v", after.status, after.body)
				}
			})
		}
	}
}

// withIDToken is an answer to a refresh, with the ID token of the first answer, which
// a client keeps to sign out with.
func withIDToken(first, refreshed answer) answer {
	refreshed.body["id_token"] = first.body["id_token"]
	return refreshed
}

// A node that knows of a sign-out which the store could not take refuses the refresh
// tokens that end with it.
func TestRefreshTokens_SignedOutWhileTheStoreTookNothing(t *testing.T) {
	down := new(atomic.Bool)
	w := newWorld(t, worldOptions{portal: true, clients: refreshClients(client.RefreshSession), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return brokenStore{downStore{s, down}}, c
	}})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	got := web.post("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid"))))
	b.get(w.portalURL()+"/logout").want(http.StatusOK, "alice")
	down.Store(true)
	b.submit(nil).want(http.StatusServiceUnavailable, "")
	down.Store(false)
	if after := web.post("token", refreshForm(got)); after.text("error") != "invalid_grant" {
		t.Errorf("refreshed after: %d %v", after.status, after.body)
	}
}

// A refresh that ends with the sign-in is a use of it, and prolongs it; one of offline
// access is not.
func TestRefreshTokens_ARefreshIsAUseOfTheSignIn(t *testing.T) {
	for _, tokens := range []client.RefreshTokens{client.RefreshSession, client.RefreshOffline} {
		w := newWorld(t, worldOptions{portal: true, clients: refreshClients(tokens)})
		web := app{t, w, "web", "web-secret-of-enough-length"}
		b := w.signedInBrowser()
		got := web.post("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
		for range 4 {
			w.clock.advance(4 * 24 * time.Hour)
			got = web.post("token", refreshForm(got))
			if got.status != http.StatusOK {
				t.Fatalf("%s: %d %v", tokens, got.status, got.body)
			}
		}
		params := with(authorizeParams("other", "https://other.test/cb", "openid"), set("prompt", "none"))
		error := w.toClient(b, params).Get("error")
		if want := map[client.RefreshTokens]string{client.RefreshSession: "consent_required", client.RefreshOffline: "login_required"}[tokens]; error != want {
			t.Errorf("%s: after 16 days the portal answers %q, want %q", tokens, error, want)
		}
	}
}

// What a client may have is judged by its option as it is now, and a refused refresh
// consumes nothing.
func TestRefreshTokens_TheOptionChanges(t *testing.T) {
	for _, c := range []struct {
		from, to client.RefreshTokens
		good     bool
	}{
		{client.RefreshSession, client.RefreshOffline, false},
		{client.RefreshSession, client.RefreshAlways, true},
		{client.RefreshOffline, client.RefreshSession, false},
		{client.RefreshOffline, client.RefreshAlways, true},
		{client.RefreshAlways, client.RefreshSession, false},
	} {
		w := newWorld(t, worldOptions{portal: true, clients: refreshClients(c.from)})
		web := app{t, w, "web", "web-secret-of-enough-length"}
		b := w.signedInBrowser()
		got := web.post("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
		w.gateway.Clients["web"].RefreshTokens = c.to
		if after := web.post("token", refreshForm(got)); c.good != (after.status == http.StatusOK) || !c.good && after.text("error") != "invalid_grant" {
			t.Errorf("%s to %s: %d %v", c.from, c.to, after.status, after.body)
		}
		if said := web.post("introspect", url.Values{"token": {got.text("refresh_token")}}); !c.good && said.body["active"] != false {
			t.Errorf("%s to %s: introspection %v", c.from, c.to, said.body)
		}
		w.gateway.Clients["web"].RefreshTokens = c.from
		w.clock.advance(time.Minute)
		if after := web.post("token", refreshForm(got)); !c.good && after.status != http.StatusOK {
			t.Errorf("%s, %s and back: %d %v", c.from, c.to, after.status, after.body)
		}
	}
}

// A code that was begun before the option changed is redeemed by what it is now.
func TestRefreshTokens_TheOptionChangesBeforeTheRedemption(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: refreshClients(client.RefreshOffline)})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	code := w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))
	w.gateway.Clients["web"].RefreshTokens = client.RefreshSession
	got := web.post("token", redeem(code))
	if got.text("scope") != "openid" || got.text("refresh_token") == "" {
		t.Fatalf("%v", got.body)
	}
	b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "You are signed out")
	if after := web.post("token", refreshForm(got)); after.text("error") != "invalid_grant" {
		t.Errorf("%d %v", after.status, after.body)
	}
}

// People are asked about access while they are away where it is granted, and only
// there, whether or not the client asks for it by name.
func TestRefreshTokens_WhatPeopleAreAsked(t *testing.T) {
	const away = "Keep its access while you&#39;re away"
	for _, c := range []struct {
		tokens client.RefreshTokens
		scope  string
		asks   bool
	}{
		{client.RefreshSession, "openid", false},
		{client.RefreshSession, "openid offline_access", false},
		{client.RefreshOffline, "openid", false},
		{client.RefreshOffline, "openid offline_access", true},
		{client.RefreshAlways, "openid", true},
	} {
		w := newWorld(t, worldOptions{portal: true, clients: refreshClients(c.tokens)})
		b := w.signedInBrowser()
		b.get(w.portalURL()+"/authorize?"+authorizeParams("other", "https://other.test/cb", c.scope).Encode()).want(http.StatusOK, "decision")
		if strings.Contains(b.body, away) != c.asks {
			t.Errorf("%s, %q: the page\n%s", c.tokens, c.scope, b.body)
		}
	}
}

// Without a portal the site's own sign-in is what the refresh token ends with.
func TestRefreshTokens_SingleSite(t *testing.T) {
	for _, tokens := range []client.RefreshTokens{client.RefreshSession, client.RefreshOffline} {
		w := newWorld(t, worldOptions{clients: refreshClients(tokens)})
		b := newBrowser(t)
		b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
		b = b.held()
		got := w.codeAt(b, "one", "web")
		if got.text("refresh_token") == "" {
			t.Fatalf("%s: %v", tokens, got.body)
		}
		b.get(w.siteURL("one")+"/.gatehouse/logout").submit(nil).want(http.StatusOK, "You are signed out")
		after := w.postAt("one", "token", "web", refreshForm(got))
		if stays := tokens == client.RefreshOffline; stays != (after.status == http.StatusOK) {
			t.Errorf("%s: refreshed after: %d %v", tokens, after.status, after.body)
		}
	}
}
