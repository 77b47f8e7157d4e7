package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// guardedCache counts the proofs that it is asked to remember.
type guardedCache struct {
	cache.Store
	proofs *atomic.Int32
}

func (c guardedCache) Once(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if strings.HasPrefix(key, "dpop:") {
		c.proofs.Add(1)
	}
	return c.Store.Once(ctx, key, ttl)
}

// Anybody can name a public client and make proofs without end. What is not given
// anything for them must not fill the cache, which others need as well.
func TestDPoP_ProofsOfNobodyAreNotRemembered(t *testing.T) {
	proofs := new(atomic.Int32)
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return s, guardedCache{c, proofs}
	}})
	w.clock.hold(0)
	mine := newHolder(t, w.clock.now)
	cli := app{t, w, "cli", ""}
	proof := func(endpoint string) string {
		return "DPoP: " + mine.proof("POST", w.portalURL()+"/"+endpoint, "", nil)
	}
	junk := handle.MintCode(handle.NewID(w.clock.now(), strings.NewReader(strings.Repeat("r", 64))), []byte(strings.Repeat("s", 32)))
	started := cli.device()
	for name, form := range map[string]url.Values{
		"a code of nobody":          {"grant_type": {"authorization_code"}, "client_id": {"native"}, "code": {junk}, "redirect_uri": {"com.example.app:/cb"}, "code_verifier": {verifier}},
		"a device code of nobody":   {"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"cli"}, "device_code": {junk}},
		"a device that waits":       {"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"cli"}, "device_code": {started.text("device_code")}},
		"a refresh token of nobody": {"grant_type": {"refresh_token"}, "client_id": {"native"}, "refresh_token": {"gtr_" + strings.Repeat("A", 100)}},
	} {
		if got := w.call("token", form, proof("token")); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	params := authorizeParams("native", "com.example.app:/cb", "openid")
	w.call("par", with(params, set("scope", "beyond")), proof("par")).refused(t, "a push that is not in order", http.StatusBadRequest, "invalid_scope")
	if n := proofs.Load(); n != 0 {
		t.Errorf("%d proofs of nobody are remembered", n)
	}
	if got := w.call("par", params, proof("par")); got.status != http.StatusCreated || proofs.Load() != 1 {
		t.Errorf("a push: %d, %d proofs are remembered", got.status, proofs.Load())
	}
}

// A proof counts once at each endpoint, whatever it is given for.
func TestDPoP_EachGrantSpendsItsProof(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	w.clock.hold(0)
	mine := newHolder(t, w.clock.now)
	b := w.signedInBrowser()
	proof := func(endpoint string) string {
		return "DPoP: " + mine.proof("POST", w.portalURL()+"/"+endpoint, "", nil)
	}
	params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
	used := proof("token")
	got := w.call("token", redeem(w.code(b, params)), basic("web"), used)
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.text)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}}
	for name, form := range map[string]url.Values{
		"code": redeem(w.code(b, params)), "refresh": refresh, "client credentials": {"grant_type": {"client_credentials"}},
	} {
		w.call("token", form, basic("web"), used).refused(t, name, http.StatusBadRequest, "invalid_dpop_proof")
	}
	if got := w.call("token", refresh, basic("web"), proof("token")); got.status != http.StatusOK {
		t.Errorf("the refresh token was spent: %d %s", got.status, got.text)
	}
	pushed := proof("par")
	if got := w.call("par", params, basic("web"), pushed); got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.text)
	}
	w.call("par", params, basic("web"), pushed).refused(t, "par", http.StatusBadRequest, "invalid_dpop_proof")
}
