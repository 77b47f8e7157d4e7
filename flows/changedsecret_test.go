package flows_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

// changeSecret is what a reload does whose configuration has a new secret in
// front of the old one.
func (w *world) changeSecret() {
	w.t.Helper()
	keys, err := keyring.New(rand.Reader, []byte("a new secret that is now the first"), []byte("a secret that only tests know"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway.Keyring = keys
}

// A secret can be changed at any time: what is under way goes on.
func TestChangedSecret_SignInAtAProvider(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	callback := stopAtCallback(t, b, rp)
	rp.changeSecret()
	b.get(callback).want(http.StatusOK, "hello ")
}

func TestChangedSecret_HandOver(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	b := newBrowser(t)
	b.get(w.siteURL("one") + "/")
	w.changeSecret()
	b.signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
}

func TestChangedSecret_Device(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: deviceClients()})
	started := w.call("device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid"}})
	w.changeSecret()
	w.approve(started, "alice", "wonderland", "approve").want(http.StatusOK, "")
	if got := w.call("token", pollForm(started)); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.text)
	}
}

func TestChangedSecret_PushedRequest(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	pushed := w.call("par", authorizeParams("web", "https://web.test/cb", "openid"), basic("web"))
	w.changeSecret()
	link := w.portalURL() + "/authorize?" + url.Values{"client_id": {"web"}, "request_uri": {pushed.answer.text("request_uri")}}.Encode()
	b.get(link)
	to, _ := url.Parse(b.last.Header.Get("Location"))
	if got := w.call("token", redeem(to.Query().Get("code")), basic("web")); got.status != http.StatusOK {
		t.Errorf("%d %s, after %d %s", got.status, got.text, b.last.StatusCode, b.body)
	}
	b.get(link).want(http.StatusBadRequest, "used already")
}

// Who has guessed too often has not guessed less for it.
func TestChangedSecret_Throttles(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app") + "/")
	for range 10 {
		b.signIn("alice", "wrong").want(http.StatusUnauthorized, "Incorrect")
	}
	w.changeSecret()
	b.signIn("alice", "wonderland").want(http.StatusTooManyRequests, "Too many attempts")
}
