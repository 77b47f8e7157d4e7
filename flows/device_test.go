package flows_test

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func (a app) device() answer {
	a.t.Helper()
	got := a.post("device_authorization", url.Values{"scope": {"openid offline_access"}})
	if got.status != 200 {
		a.t.Fatalf("%d %v", got.status, got.body)
	}
	return got
}

func (a app) poll(started answer) answer {
	a.t.Helper()
	return a.post("token", url.Values{"grant_type": {client.GrantDevice}, "device_code": {started.text("device_code")}})
}

func TestDevice_ApprovedOnceDeliveredOnce(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(started.text("user_code")) {
		t.Errorf("user code %q", started.text("user_code"))
	}
	if got := cli.poll(started); got.text("error") != "authorization_pending" {
		t.Fatalf("%v", got.body)
	}
	if got := cli.poll(started); got.text("error") != "slow_down" {
		t.Errorf("a poll at once: %v", got.body)
	}
	b := newBrowser(t)
	b.get(started.text("verification_uri_complete")).want(200, "password") // signing in comes first
	b.signIn("alice", "wonderland").want(200, started.text("user_code"))
	confirm := *b
	b.submit(url.Values{"decision": {"approve"}}).want(200, "")
	b.last, b.body = confirm.last, confirm.body
	b.submit(url.Values{"decision": {"approve"}}).want(409, "answered already")
	if strings.Contains(b.body, "Nothing was approved") {
		t.Error("a second click is told that nothing was approved")
	}

	w.clock.advance(11 * time.Second)
	var mu sync.Mutex
	var tokens []answer
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := cli.poll(started); got.status == 200 {
				mu.Lock()
				tokens = append(tokens, got)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(tokens) != 1 || tokens[0].text("refresh_token") == "" || tokens[0].text("id_token") == "" {
		t.Fatalf("%d deliveries: %v", len(tokens), tokens)
	}
	// Offline access outlives the browser's sign-out.
	b.get(w.portalURL() + "/logout").submit(nil)
	if got := cli.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens[0].text("refresh_token")}}); got.status != 200 {
		t.Errorf("refresh after the browser signed out: %v", got.body)
	}
}

func TestDevice_RefusedExpiredForeign(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	refused := cli.device()
	b := newBrowser(t)
	b.get(refused.text("verification_uri")).signIn("alice", "wonderland").want(200, "user_code")
	b.submit(url.Values{"user_code": {strings.ToLower(" " + refused.text("user_code")[:4] + " " + refused.text("user_code")[5:])}}).want(200, refused.text("user_code"))
	b.submit(url.Values{"decision": {"refuse"}}).want(200, "")
	if got := cli.poll(refused); got.text("error") != "access_denied" {
		t.Errorf("refused: %v", got.body)
	}
	expired := cli.device()
	w.clock.advance(10*time.Minute + time.Second)
	if got := cli.poll(expired); got.text("error") != "expired_token" {
		t.Errorf("expired: %v", got.body)
	}
	web := app{t, w, "web", "web-secret-of-enough-length"}
	if got := web.poll(cli.device()); got.text("error") != "unauthorized_client" {
		t.Errorf("a client without the grant: %v", got.body)
	}
	for _, junk := range []string{"x", strings.Repeat("A", 64), strings.Repeat("A", 5000)} {
		if got := cli.post("token", url.Values{"grant_type": {client.GrantDevice}, "device_code": {junk}}); got.text("error") != "invalid_grant" {
			t.Errorf("junk %.10q: %v", junk, got.body)
		}
	}
}

func TestDevice_GuessesAreFew(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	b := newBrowser(t)
	b.get(started.text("verification_uri")).signIn("alice", "wonderland")
	for range 5 {
		b.submit(url.Values{"user_code": {"BBBB-BBBB"}}).want(404, "not known")
	}
	b.submit(url.Values{"user_code": {started.text("user_code")}}).want(429, "Too many wrong codes")
	// Approving needs the page that asked, in the browser that saw it.
	other := newBrowser(t)
	other.get(started.text("verification_uri")).signIn("bob", "builder")
	form := url.Values{"request": {"AAAA"}, "decision": {"approve"}}
	other.submit(form)
	if got := cli.poll(started); got.text("error") != "authorization_pending" {
		t.Errorf("%v", got.body)
	}
}
