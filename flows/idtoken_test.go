package flows_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// An application is told the ID token of the sign-in as long as it is valid, and nothing
// else under its name; who signed in by a password has none.
func TestIDToken_OfTheSignIn(t *testing.T) {
	for _, portal := range []bool{true, false} {
		op, rp := twoWorldsWith(t, worldOptions{portal: portal, portalHost: "rp.test", idTokens: true})
		op.clock.hold(0)
		rp.clock.hold(0)
		app := rp.siteURL("app")
		b := newBrowser(t)
		b.get(app+"/").signIn("alice", "wonderland").want(200, "hello")
		id, err := rp.sessions.Authenticate(t.Context(), "app.sites.test", b.cookieAt(app).Value)
		if err != nil {
			t.Fatal(err)
		}
		token := rp.gateway.IDToken(t.Context(), id)
		_, claims := claimsOf(t, token)
		if claims["iss"] != op.portalURL() || claims["aud"] != "gateway" || claims["sub"] != id.ID {
			t.Fatalf("the ID token says %v", claims)
		}
		if again := rp.gateway.IDToken(t.Context(), id); again != token {
			t.Error("another one at the second request")
		}
		exp, _ := claims["exp"].(float64)
		rp.clock.advance(time.Unix(int64(exp), 0).Sub(rp.clock.now()) - 5*time.Second)
		if late := rp.gateway.IDToken(t.Context(), id); late != "" {
			t.Error("one that is about to expire is passed on")
		}
	}
	w := newWorld(t, worldOptions{portal: true, idTokens: true})
	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello")
	id, err := w.sessions.Authenticate(t.Context(), "one.sites.test", b.cookieAt(w.siteURL("one")).Value)
	if err != nil {
		t.Fatal(err)
	}
	if token := w.gateway.IDToken(t.Context(), id); token != "" {
		t.Errorf("of a password: %s", token)
	}
}

// Where the provider's tokens are kept, another ID token is had when it has expired.
func TestIDToken_IsRefreshed(t *testing.T) {
	op, rp, gateway := withVault(t, "openid", "profile", "email", "offline_access")
	config := gateway.Config
	config.KeepIDTokens = true
	var err error
	if rp.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	app := rp.siteURL("app")
	b := newBrowser(t)
	b.get(app+"/").signIn("alice", "wonderland").want(200, "hello")
	id, err := rp.sessions.Authenticate(t.Context(), "app.sites.test", b.cookieAt(app).Value)
	if err != nil {
		t.Fatal(err)
	}
	first := rp.gateway.IDToken(t.Context(), id)
	op.clock.advance(time.Hour)
	rp.clock.advance(time.Hour)
	renewed := rp.gateway.IDToken(t.Context(), id)
	_, was := claimsOf(t, first)
	_, now := claimsOf(t, renewed)
	if was["sub"] != now["sub"] || now["exp"].(float64) < was["exp"].(float64)+3000 {
		t.Errorf("renewed %v to %v", was, now)
	}
	if again := rp.gateway.IDToken(t.Context(), id); again != renewed {
		t.Error("another one at the second request")
	}
}

// What the provider issues anew by the token of a later sign-in says of that one: the
// session of an earlier one, in another browser, is told nothing.
func TestIDToken_IsOfItsOwnSignIn(t *testing.T) {
	op, rp, gateway := withVault(t, "openid", "profile", "email", "offline_access")
	config := gateway.Config
	config.KeepIDTokens = true
	var err error
	if rp.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	app := rp.siteURL("app")
	signedIn := func() *identity.Identity {
		t.Helper()
		b := newBrowser(t)
		b.get(app+"/").signIn("alice", "wonderland").want(200, "hello")
		id, err := rp.sessions.Authenticate(t.Context(), "app.sites.test", b.cookieAt(app).Value)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	earlier := signedIn()
	_, first := claimsOf(t, rp.gateway.IDToken(t.Context(), earlier))
	op.clock.advance(10 * time.Minute)
	rp.clock.advance(10 * time.Minute)
	later := signedIn()
	_, second := claimsOf(t, rp.gateway.IDToken(t.Context(), later))
	if first["auth_time"] == nil || first["auth_time"] == second["auth_time"] {
		t.Fatalf("%v and %v are of one sign-in", first, second)
	}
	op.clock.advance(time.Hour)
	rp.clock.advance(time.Hour)
	if token := rp.gateway.IDToken(t.Context(), earlier); token != "" {
		_, claims := claimsOf(t, token)
		t.Errorf("the earlier session is told %v", claims)
	}
	if _, claims := claimsOf(t, rp.gateway.IDToken(t.Context(), later)); claims["auth_time"] != second["auth_time"] {
		t.Errorf("the later session is told %v", claims)
	}
}
