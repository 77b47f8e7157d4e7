package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// TestBackchannel_ByTheProvidersSessionAlone: a logout token may name the
// session and not the user (OpenID Connect Back-Channel Logout, section 2.4).
// Another sign-in of the same user goes on.
func TestBackchannel_ByTheProvidersSessionAlone(t *testing.T) {
	op, rp := twoWorlds(t, nil)
	one, other := newBrowser(t), newBrowser(t)
	one.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	rows, err := op.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true, ClientID: "gateway"})
	if err != nil || len(rows) != 1 {
		t.Fatalf("the provider has %d sessions: %v", len(rows), err)
	}
	other.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")

	say := func(sid string, times, status int) {
		t.Helper()
		now := op.clock.now()
		raw, err := op.keys.Sign(token.TypeLogout, token.ES256, jwt.MapClaims{
			"iss": op.portalURL(), "aud": "gateway", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": sid + "-once", "sid": sid,
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rp.siteURL("app")+"/.gatehouse/backchannel_logout/outside",
			strings.NewReader(url.Values{"logout_token": slices.Repeat([]string{raw}, times)}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		newBrowser(t).do(r).want(status, "")
	}
	say("of-nobody-here", 1, 200)
	say(rows[0].ID.String(), 2, 400)
	one.get(rp.siteURL("app")+"/").want(200, "hello")
	say(rows[0].ID.String(), 1, 200)
	if held := one.held().get(rp.siteURL("app") + "/"); held.last.StatusCode != http.StatusSeeOther {
		t.Errorf("still signed in: %d", held.last.StatusCode)
	}
	other.get(rp.siteURL("app")+"/").want(200, "hello")
}

// Offline access outlives a sign-out at the provider (section 2.7), as it does one
// here.
func TestBackchannel_LeavesOfflineAccess(t *testing.T) {
	op, rp := twoWorldsWith(t, worldOptions{clients: oauthClients()})
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	got := rp.codeAt(b.held(), "app", "web")
	rows, err := op.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true, ClientID: "gateway"})
	if err != nil || len(rows) != 1 {
		t.Fatalf("the provider has %d sessions: %v", len(rows), err)
	}
	for _, sid := range []string{rows[0].ID.String(), ""} {
		claims := jwt.MapClaims{
			"iss": op.portalURL(), "aud": "gateway", "iat": op.clock.now().Unix(), "exp": op.clock.now().Add(time.Minute).Unix(),
			"jti": "once" + sid, "sub": rows[0].Subject, "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		if sid != "" {
			claims["sid"] = sid
		}
		raw, err := op.keys.Sign(token.TypeLogout, token.ES256, claims)
		if err != nil {
			t.Fatal(err)
		}
		told := rp.send(http.MethodPost, rp.siteURL("app")+"/.gatehouse/backchannel_logout/outside", url.Values{"logout_token": {raw}}.Encode(), formType)
		if told.status != http.StatusOK {
			t.Fatalf("%d %s", told.status, told.text)
		}
		if held := b.held().get(rp.siteURL("app") + "/"); held.last.StatusCode != http.StatusSeeOther {
			t.Errorf("still signed in: %d", held.last.StatusCode)
		}
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}}
		again := rp.postAt("app", "token", "web", form)
		if again.status != http.StatusOK {
			t.Fatalf("offline access ended: %v", again.body)
		}
		got = again
	}
}
