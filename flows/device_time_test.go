package flows_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// TestDevice_SlowDownCountsForAllLaterPolls: each poll that is too early adds
// five seconds, for good (RFC 8628, section 3.5). A second is tolerated.
func TestDevice_SlowDownCountsForAllLaterPolls(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "authorization_pending"},
		{4100 * time.Millisecond, "authorization_pending"},
		{3900 * time.Millisecond, "slow_down"}, // from now on 10 s
		{4900 * time.Millisecond, "slow_down"}, // 8.8 s since the last in time; from now on 15 s
		{4900 * time.Millisecond, "slow_down"}, // 13.7 s; from now on 20 s
		{5400 * time.Millisecond, "authorization_pending"},
		{18900 * time.Millisecond, "slow_down"}, // from now on 25 s
		{5200 * time.Millisecond, "authorization_pending"},
	} {
		w.clock.hold(step.after)
		if got := cli.poll(started); got.text("error") != step.want {
			t.Errorf("after %v: %v, want %s", step.after, got.body, step.want)
		}
	}
	// What was approved is delivered whenever it is asked for.
	b := newBrowser(t)
	b.get(started.text("verification_uri_complete")).signIn("alice", "wonderland")
	b.submit(url.Values{"decision": {"approve"}}).want(200, "")
	if got := cli.poll(started); got.status != 200 {
		t.Errorf("%v", got.body)
	}
	if got := cli.poll(started); got.text("error") != "invalid_grant" {
		t.Errorf("a poll after the delivery: %v", got.body)
	}
	// Another flow of the same client is not slowed down.
	if got := cli.poll(cli.device()); got.text("error") != "authorization_pending" {
		t.Errorf("another flow: %v", got.body)
	}
}

// TestDevice_ClientThatKeepsFiveSeconds polls as a client does whose timer is
// coarse, and which waits five seconds whatever it is told (H2CK/oidc#716).
func TestDevice_ClientThatKeepsFiveSeconds(t *testing.T) {
	for name, at := range map[string][]int{ // milliseconds
		"a coarse timer": {0, 5040, 10_000, 15_040, 20_000, 25_040},
		"too early":      {0, 3000, 8000, 13_000, 18_000, 23_000},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
			cli := app{t, w, "cli", ""}
			started := cli.device()
			b := newBrowser(t)
			b.get(started.text("verification_uri_complete")).signIn("alice", "wonderland")
			w.clock.hold(0)
			last := at[len(at)-1]
			for i, moment := range at {
				before := 0
				if i > 0 {
					before = at[i-1]
				}
				if moment == last { // at 22 s
					b.submit(url.Values{"decision": {"approve"}}).want(200, "")
				}
				w.clock.advance(time.Duration(moment-before) * time.Millisecond)
				got := cli.poll(started)
				switch {
				case moment == last && got.status != 200:
					t.Errorf("after the approval: %v", got.body)
				case moment == last:
				case name == "a coarse timer" && got.text("error") != "authorization_pending":
					t.Errorf("at %d ms: %v", moment, got.body)
				case name == "too early" && i > 0 && got.text("error") != "slow_down":
					t.Errorf("at %d ms: %v", moment, got.body)
				}
			}
		})
	}
}

func TestDevice_ExpiresToTheSecond(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	w.clock.hold(0)
	started := cli.device()
	w.clock.hold(10*time.Minute - time.Second)
	if got := cli.poll(started); got.text("error") != "authorization_pending" {
		t.Errorf("a second before: %v", got.body)
	}
	w.clock.hold(time.Second)
	if got := cli.poll(started); got.text("error") != "expired_token" {
		t.Errorf("at its end: %v", got.body)
	}
}

// TestDevice_ExpiresUnderThePersonWhoApproves opens the question in time and
// answers it too late; approving in time and polling too late is too late too.
func TestDevice_ExpiresUnderThePersonWhoApproves(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	b := newBrowser(t)
	b.get(w.portalURL()+"/device").signIn("alice", "wonderland")
	w.clock.hold(0)
	late, undelivered := cli.device(), cli.device()
	w.clock.hold(10*time.Minute - time.Second)
	b.open(undelivered.text("verification_uri_complete")).submit(url.Values{"decision": {"approve"}}).want(200, "connected")
	b.open(late.text("verification_uri_complete")).want(200, late.text("user_code"))
	w.clock.hold(time.Second)
	b.submit(url.Values{"decision": {"approve"}}).want(409, "expired")
	b.open(late.text("verification_uri_complete")).want(404, "has expired")
	for range 6 { // which is no guess
		b.submit(url.Values{"user_code": {late.text("user_code")}}).want(404, "has expired")
	}
	for name, started := range map[string]answer{"approved too late": late, "polled too late": undelivered} {
		if got := cli.poll(started); got.text("error") != "expired_token" {
			t.Errorf("%s: %v", name, got.body)
		}
	}
}

// TestDevice_GuessesOfOneLockOutNobodyElse: neither another person at the same
// site nor the person who owns the code.
func TestDevice_GuessesOfOneLockOutNobodyElse(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	guesser := newBrowser(t).from(t, "127.0.0.66")
	guesser.get(started.text("verification_uri")).signIn("alice", "wonderland")
	for range 5 {
		guesser.submit(url.Values{"user_code": {"BBBB-BBBB"}}).want(404, "not known")
	}
	guesser.submit(url.Values{"user_code": {started.text("user_code")}}).want(429, "Too many wrong codes")
	if guesser.last.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	other := newBrowser(t).from(t, "127.0.0.2")
	other.get(started.text("verification_uri_complete")).signIn("bob", "builder").want(200, started.text("user_code"))
	other.submit(url.Values{"decision": {"approve"}}).want(200, "connected")
	if got := cli.poll(started); got.status != 200 {
		t.Errorf("%v", got.body)
	}
	// In the code's lifetime; then the guesser may try again.
	w.clock.advance(10*time.Minute + time.Second)
	guesser.get(w.portalURL()+"/device").submit(url.Values{"user_code": {cli.device().text("user_code")}}).want(200, "decision")
}

// TestDevice_RefusedCostsNoWait: access_denied is the next answer, and stays.
func TestDevice_RefusedCostsNoWait(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	cli.poll(started)
	b := newBrowser(t)
	b.get(started.text("verification_uri_complete")).signIn("alice", "wonderland")
	b.submit(url.Values{"decision": {"refuse"}}).want(200, "refused")
	for range 3 { // though each of these polls is too early
		got := cli.post("token", url.Values{"grant_type": {client.GrantDevice}, "device_code": {started.text("device_code")}})
		if got.text("error") != "access_denied" {
			t.Errorf("%v", got.body)
		}
	}
}

// from has the browser's requests come from an address of this machine.
func (b *browser) from(t *testing.T, address string) *browser {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, "127.0.0.1"+to[strings.LastIndexByte(to, ':'):])
	}}
	t.Cleanup(transport.CloseIdleConnections)
	b.Transport = transport
	return b
}
