package oauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
)

const goodbye = "http://127.0.0.1:1/goodbye"

// endSession is the address that an application sends the browser to.
func (a *zitadelApp) endSession(hint string) string {
	return a.GetEndSessionEndpoint() + "?" + url.Values{
		"id_token_hint": {hint}, "client_id": {a.OAuthConfig().ClientID}, "post_logout_redirect_uri": {goodbye}, "state": {"a state"},
	}.Encode()
}

func TestZitadel_EndSessionByTheBrowser(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient)
	a := startZitadelApp(w, "web", webSecret, "openid")
	alice := w.alice(t)
	a.signIn(t, alice)
	if !alice.signedIn() {
		t.Fatal("alice is not signed in at the guarded site, so this test would prove nothing")
	}
	to := alice.signOut(a.endSession(a.tokens.IDToken))
	if to == nil || to.String() != goodbye+"?state=a+state" {
		t.Errorf("the browser is sent to %v", to)
	}
	if alice.signedIn() {
		t.Error("still signed in at the guarded site")
	}
	if _, err := rp.Userinfo[rp.SubjectGetter](t.Context(), a.tokens.AccessToken, "Bearer", a.info.Subject, a); err == nil {
		t.Error("an access token of the ended session was taken")
	}
}

// TestZitadel_EndSessionBehindTheBrowsersBack: an ID token is no licence to sign
// somebody out. The helper asks without the person's cookies.
func TestZitadel_EndSessionBehindTheBrowsersBack(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient)
	a := startZitadelApp(w, "web", webSecret, "openid")
	alice := w.alice(t)
	a.signIn(t, alice)
	to, err := rp.EndSession(t.Context(), a, a.tokens.IDToken, goodbye, "a state", "", nil)
	// A POST that carries no cookie of ours goes on by a GET, which would have it.
	if err != nil || to == nil || !strings.HasPrefix(to.String(), w.issuer+"/logout?request=") {
		t.Fatalf("the application is sent to %v: %v", to, err)
	}
	if !alice.signedIn() {
		t.Error("an ID token signed alice out without her browser")
	}
}

// TestGoOIDC_BackchannelLogout: signing out tells the applications that asked.
func TestGoOIDC_BackchannelLogout(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 8)
	var deliveries atomic.Int32 // the first one fails and is tried again
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deliveries.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		posted <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(receiver.Close)
	w := start(t, "http", fmt.Sprintf(`client web {
		secret %q
		first_party
		redirect_uri http://127.0.0.1/callback
		post_logout_redirect_uri %s
		backchannel_logout_uri %s/backchannel
		scopes openid profile email groups offline_access
	}`, webSecret, goodbye, receiver.URL))
	a := startGoApp(w, "web", webSecret, "openid", "profile", "email", "groups")
	alice := w.alice(t)
	a.signIn(alice)
	var id struct {
		Session string `json:"sid"`
	}
	if err := a.id.Claims(&id); err != nil {
		t.Fatal(err)
	}
	alice.signOut(w.issuer + "/logout")
	select {
	case raw := <-posted:
		logout, err := a.verifier.VerifyLogout(w.context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if logout.Subject != a.id.Subject || logout.SessionID != id.Session || logout.TokenID == "" {
			t.Errorf("the logout token says %+v, of %q in session %q", logout, a.id.Subject, id.Session)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was told of the sign-out")
	}
}
