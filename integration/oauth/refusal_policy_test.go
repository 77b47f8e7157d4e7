package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// TestRefusal_PolicyCountsAtEveryRefresh: who may not enter any more gets no new
// tokens, and a refusal uses up nothing.
func TestRefusal_PolicyCountsAtEveryRefresh(t *testing.T) {
	t.Parallel()
	w := start(t, "http", strings.Replace(webClient, "first_party", "first_party\npolicy staff", 1))
	token := w.alice(t).tokens(authorization("web")).text("refresh_token")
	refresh := func() answer {
		return w.post(t, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, basic("web", webSecret))
	}
	if err := w.node.Reload(t, strings.Replace(w.config, "allow group staff", "allow group admins", 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		refresh().want(t, "not admitted any more", http.StatusBadRequest, "invalid_grant")
	}
	if err := w.node.Reload(t, w.config); err != nil {
		t.Fatal(err)
	}
	got := refresh()
	if got.status != http.StatusOK {
		t.Fatalf("admitted again: %d %s", got.status, got.body)
	}

	token = got.text("refresh_token")
	if err := w.node.Reload(t, strings.Replace(w.config, "client web", "client renamed", 1)); err != nil {
		t.Fatal(err)
	}
	refresh().want(t, "the client is gone", http.StatusUnauthorized, "invalid_client")
	w.post(t, "token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, basic("renamed", webSecret)).
		want(t, "of a client by another name", http.StatusBadRequest, "invalid_grant")
}

// TestRefusal_ARevocationBeatsTheRefreshBesideIt: whichever comes first, nothing
// of the family is good when both have been answered.
func TestRefusal_ARevocationBeatsTheRefreshBesideIt(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient)
	alice := w.alice(t)
	web := basic("web", webSecret)
	for range 25 {
		token := alice.tokens(authorization("web")).text("refresh_token")
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		var fresh answer
		var both sync.WaitGroup
		both.Go(func() { fresh = w.post(t, "token", form, web) })
		both.Go(func() { w.post(t, "revoke", url.Values{"token": {token}}, web) })
		both.Wait()
		if next := fresh.text("refresh_token"); next != "" {
			form = change(form, func(f url.Values) { f.Set("refresh_token", next) })
		}
		w.post(t, "token", form, web).want(t, "after the revocation", http.StatusBadRequest, "invalid_grant")
		if access := fresh.text("access_token"); access != "" {
			if got := w.post(t, "introspect", url.Values{"token": {access}}, web); got.body != inactive {
				t.Errorf("an access token of the revoked family: %s", got.body)
			}
		}
	}
}
