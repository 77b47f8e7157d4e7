package flows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// codeAt has a site that is its own issuer sign alice in and give a client a code,
// with her consent, and redeems it.
func (w *world) codeAt(b *browser, site, id string) answer {
	w.t.Helper()
	params := authorizeParams(id, "https://"+id+".test/cb", "openid offline_access")
	b.get(w.siteURL(site) + "/.gatehouse/authorize?" + params.Encode())
	if strings.Contains(b.body, "decision") {
		b.submit(url.Values{"decision": {"approve"}})
	}
	to, err := url.Parse(b.last.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		w.t.Fatalf("no code: %d %s\n%s", b.last.StatusCode, to, b.body)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")},
		"redirect_uri": {"https://" + id + ".test/cb"}, "code_verifier": {verifier},
	}
	got := w.postAt(site, "token", id, form)
	if got.status != http.StatusOK {
		w.t.Fatalf("%d %v", got.status, got.body)
	}
	return got
}

func (w *world) postAt(site, endpoint, id string, form url.Values) answer {
	w.t.Helper()
	got := w.send(http.MethodPost, w.siteURL(site)+"/.gatehouse/"+endpoint, form.Encode(),
		"Content-Type: application/x-www-form-urlencoded", basic(id))
	return got.answer
}

// Without a portal each site is an issuer, and its clients are told of sign-outs as
// its discovery document promises, in its own name (OpenID Connect Back-Channel
// Logout, section 2.4).
func TestSingleSite_TellsItsClientsOfSignOuts(t *testing.T) {
	told := make(chan string, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(receiver.Close)
	clients := oauthClients()
	clients[0].BackchannelLogoutURI = receiver.URL
	w := newWorld(t, worldOptions{clients: clients})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.gateway.Run(ctx) }()
	defer func() { cancel(); <-done }()

	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	b = b.held()
	_, id := claimsOf(t, w.codeAt(b, "one", "web").text("id_token"))
	if got := w.send(http.MethodGet, w.siteURL("one")+"/.gatehouse/.well-known/openid-configuration", ""); got.body["backchannel_logout_supported"] != true {
		t.Error("it does not promise to tell")
	}
	b.get(w.siteURL("one")+"/.gatehouse/").submit(url.Values{"session": {id["sid"].(string)}}).want(http.StatusOK, "That session has ended")
	_, again := claimsOf(t, w.codeAt(b, "one", "other").text("id_token")) // wants not to be told
	b.get(w.siteURL("one")+"/.gatehouse/logout").submit(nil).want(http.StatusOK, "signed out")
	select {
	case raw := <-told:
		_, claims := claimsOf(t, raw)
		for name, want := range map[string]any{"iss": w.siteURL("one") + "/.gatehouse", "aud": "web", "sub": id["sub"], "sid": id["sid"]} {
			if claims[name] != want {
				t.Errorf("%s is %v, want %v", name, claims[name], want)
			}
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the client was not told")
	}
	if id["iss"] != again["iss"] {
		t.Errorf("issuers %v and %v", id["iss"], again["iss"])
	}
}

// What a person allowed at a site, they can withdraw there.
func TestSingleSite_HasThePersonsOwnPage(t *testing.T) {
	w := newWorld(t, worldOptions{clients: oauthClients()})
	home := w.siteURL("one") + "/.gatehouse/"
	b := newBrowser(t)
	b.get(home).want(http.StatusOK, "/.gatehouse/signin?request=") // nobody is here yet
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	held := b.held()
	got := w.codeAt(held, "one", "other")
	b.get(home).want(http.StatusOK, "Apps with access").want(http.StatusOK, "this browser")
	page := *b
	if got := foreignPost(t, b, home, url.Values{"client": {"other"}}); got.last.StatusCode == http.StatusOK && strings.Contains(got.body, "no longer has access") {
		t.Error("another site's form withdrew it")
	}
	page.submit(url.Values{"client": {"other"}}).want(http.StatusOK, "no longer has access")
	form := url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {got.text("refresh_token")}}
	if got := w.postAt("one", "token", "other", form); got.text("error") != "invalid_grant" {
		t.Errorf("the application goes on: %v", got.body)
	}
	params := authorizeParams("other", "https://other.test/cb", "openid")
	held.get(w.siteURL("one")+"/.gatehouse/authorize?"+params.Encode()).want(http.StatusOK, "decision") // asked again
	// With a portal it is there that people have their page.
	with := newWorld(t, worldOptions{portal: true})
	newBrowser(t).get(with.siteURL("one")+"/.gatehouse/").want(http.StatusNotFound, "")
}
