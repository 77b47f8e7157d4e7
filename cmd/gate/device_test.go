package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func TestLogin_Refused(t *testing.T) {
	w := newWorld(t, gateClient())
	w.approve = func(address string) { w.answer(address, "refuse") }
	w.gate("login", "--browser", w.siteURL("one")).want(exitRefused, "the sign-in was refused", "run the command again")
	w.gate("list").want(exitDone, "not signed in")
}

func TestLogin_Expires(t *testing.T) {
	w := newWorld(t, gateClient())
	r := w.gate("login", w.siteURL("one")).want(exitSignIn, "the code has expired", "Run the command again")
	if n := strings.Count(r.stderr, "waiting for approval"); n < 9 || n > 11 {
		t.Errorf("ten minutes of waiting are told in %d lines:\n%s", n, r.stderr)
	}
	if w.count(client.GrantDevice) > 120 {
		t.Errorf("%d polls in ten minutes", w.count(client.GrantDevice))
	}
}

func TestLogin_SlowDownStays(t *testing.T) {
	w := newWorld(t, gateClient())
	var polls atomic.Int32
	// The server answers slow_down by itself to a poll that comes too early:
	// somebody else's here, with the same device code.
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if polls.Add(1) == 2 {
				w.clock.advance(-4 * time.Second)
			}
		}
		return false
	})
	w.during = func(time.Duration) {
		if polls.CompareAndSwap(4, 5) {
			w.approve(w.issuer() + "/device?user_code=" + w.userCode())
		}
	}
	w.remember = true
	w.gate("login", w.siteURL("one")).want(exitDone, "Signed in as alice")
	want := []time.Duration{5 * time.Second, 5 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second}
	for i, d := range want {
		if i >= len(w.slept) || w.slept[i] != d {
			t.Fatalf("slept %v, want %v", w.slept, want)
		}
	}
}

func TestLogin_OutlivesAnOutage(t *testing.T) {
	w := newWorld(t, gateClient())
	var polls atomic.Int32
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" {
			return false
		}
		switch polls.Add(1) {
		case 1:
			panic(http.ErrAbortHandler) // the connection breaks
		case 2:
			rw.WriteHeader(http.StatusBadGateway)
			return true
		case 3:
			rw.Header().Set("Retry-After", "50")
			rw.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	w.login(w.siteURL("one")).want(exitDone, "Signed in as alice")
	want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 50 * time.Second}
	for i, d := range want {
		if w.slept[i] != d {
			t.Fatalf("slept %v, want %v", w.slept, want)
		}
	}
}

func TestLogin_UnknownClient(t *testing.T) {
	for name, clients := range map[string][]*client.Client{
		"unknown":  nil,
		"no grant": {{ID: "gate", Public: true, RedirectURIs: []string{"http://127.0.0.1/cb"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, clients...)
			w.gate("login", w.siteURL("one")).want(exitRefused, "client gate {", "public", "grants device_code refresh_token", "--client ID")
		})
	}
}

func TestLogin_OtherClientAndFewerScopes(t *testing.T) {
	w := newWorld(t, &client.Client{
		ID: "cli", Public: true, Grants: []string{client.GrantDevice, client.GrantRefresh}, Scopes: []string{"openid", "offline_access"},
		FirstParty: true,
	}, &client.Client{
		ID: "theirs", Public: true, Grants: []string{client.GrantDevice, client.GrantRefresh}, Scopes: []string{"openid", "offline_access"},
	})
	w.gate("login", "--client", "cli", "--scope", "profile", w.siteURL("one")).want(exitRefused, "invalid_scope", "--scope")
	w.gate("login", "--client", "cli", "--scope", "openid offline_access", "--browser", w.siteURL("one")).want(exitDone, "Signed in")
	w.gate("token").want(exitDone)
	w.gate("login", "--client", "theirs", "--scope", "openid offline_access", "--browser", w.siteURL("one")).
		want(exitRefused, "not for this site", "first_party", "resources "+w.siteURL("one"), "client theirs")
}

// Without offline_access, the login is for the one site and ends with its
// token.
func TestLogin_WithoutRefreshToken(t *testing.T) {
	w := newWorld(
		t, &client.Client{ID: "gate", Public: true, FirstParty: true, Grants: []string{client.GrantDevice}, Scopes: []string{"openid"}},
		&client.Client{ID: "theirs", Public: true, Grants: []string{client.GrantDevice}, Scopes: []string{"openid"}},
	)
	w.gate("login", "--client", "theirs", "--scope", "openid", w.siteURL("one")).want(exitRefused, "invalid_target", "first_party")
	one := w.siteURL("one")
	w.gate("login", "--scope", "openid", "--browser", one).want(exitDone, "cannot be refreshed")
	bearer := strings.TrimSpace(w.gate("token").want(exitDone).stdout)
	r, err := newBrowserless(w.environment().transport).get(t.Context(), one+"/", bearer)
	if err != nil || r.status != http.StatusOK {
		t.Errorf("the token does not open its site: %d, %v", r.status, err)
	}
	w.gate("whoami").want(exitDone, w.issuer())
	w.gate("token", "--for", w.siteURL("two")).want(exitSignIn)
	w.clock.advance(time.Hour)
	w.gate("token").want(exitSignIn, "gate login "+one)
}

func TestLogin_Again(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	old := strings.TrimSpace(w.gate("token").stdout)
	w.login(w.siteURL("two"))
	w.gate("list").want(exitDone, w.siteURL("two")+", "+w.siteURL("one"))
	r, err := newBrowserless(w.environment().transport).get(t.Context(), w.siteURL("one")+"/", old)
	if err != nil || r.status != http.StatusUnauthorized {
		t.Errorf("the login that was replaced lives on: %d, %v", r.status, err)
	}
	w.gate("token", "--for", w.siteURL("one")).want(exitDone)
}

func TestLogin_Interrupted(t *testing.T) {
	w := newWorld(t, gateClient())
	ctx, interrupt := context.WithCancel(t.Context())
	env := w.environment()
	env.sleep = func(context.Context, time.Duration) error {
		interrupt()
		return context.Canceled
	}
	var out strings.Builder
	if code := run(ctx, []string{"login", w.siteURL("one")}, strings.NewReader(""), &out, &out, env); code != exitInterrupted {
		t.Errorf("ended with %d", code)
	}
	if !strings.HasSuffix(out.String(), "gate: interrupted\n") {
		t.Error(out.String())
	}
	w.gate("list").want(exitDone, "not signed in")
}

func TestLogin_OnATerminal(t *testing.T) {
	w := newWorld(t, gateClient())
	env := w.environment()
	env.columns = 100
	r := w.gateWith(env, "", "login", "--browser", w.siteURL("one")).want(exitDone, "█", "▀", blackOnWhite, "⠋ waiting for approval, 10:00 left")
	if !strings.Contains(r.stderr, "\r\x1b[KSigned in") {
		t.Errorf("the waiting line stays: %q", r.stderr)
	}
	env.rows = 24
	r = w.gateWith(env, "", "login", "--browser", w.siteURL("one")).want(exitDone, "█")
	shown, _, _ := strings.Cut(r.stderr, "⠋")
	if below := shown[strings.Index(shown, blackOnWhite):]; !strings.Contains(below, "and type") || strings.Count(below, "\n") >= env.rows {
		t.Errorf("from the QR code to the waiting line it is more than a small screen shows:\n%s", shown)
	}
	env.columns, env.rows = 30, 0
	if r := w.gateWith(env, "", "login", "--browser", w.siteURL("one")).want(exitDone); strings.Contains(r.stderr, "█") {
		t.Error("a narrow terminal is drawn on")
	}
	env.columns = 100
	env.open = func(context.Context, string) error { return errors.New("no display") }
	w.during = func(time.Duration) {
		w.during = nil
		w.approve(w.issuer() + "/device?user_code=" + w.userCode())
	}
	w.remember = true
	if r := w.gateWith(env, "", "login", "--no-qr", "--browser", w.siteURL("one")).want(exitDone, "No browser could be opened here (no display)"); strings.Contains(r.stderr, blackOnWhite) {
		t.Error("--no-qr draws one")
	}
}
