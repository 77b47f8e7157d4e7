package integration_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const throttledSite = "http://app.localhost/"

func startForThrottles(t *testing.T) *gateway.Node {
	t.Helper()
	return gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", upstreamAddr(t), ""),
	})
}

// wantThrottled checks a 429.
func wantThrottled(t *testing.T, page *browser.Page) {
	t.Helper()
	wantStatus(t, page, http.StatusTooManyRequests)
	seconds, err := strconv.Atoi(page.Header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > 600 {
		t.Errorf("Retry-After is %q, want seconds, up to ten minutes", page.Header.Get("Retry-After"))
	}
}

func TestWrongPassword_NeverSaysWhichOfTheTwoWasWrong(t *testing.T) {
	t.Parallel()
	n := startForThrottles(t)
	var said []string
	for _, user := range []string{"alice", "nobody-of-that-name"} {
		b := newBrowser(t, n)
		page := login(t, b, b.Open(throttledSite+"reports?year=2026"), user, "not the password")
		wantStatus(t, page, http.StatusUnauthorized)
		said = append(said, strings.ReplaceAll(page.Text(), user, "USER"))
		if form := b.Find(page, "username"); form.Values.Get("password") != "" {
			t.Error("the page repeats the password")
		}
		page = login(t, b, page, "alice", alicePassword)
		if got := page.URL.RequestURI(); page.Status != http.StatusOK || got != "/reports?year=2026" {
			t.Errorf("a second try landed on %s with %d", got, page.Status)
		}
	}
	if said[0] != said[1] {
		t.Errorf("the pages differ:\n%s\n%s", said[0], said[1])
	}
}

func TestWrongPassword_TenFailuresCloseTheAccountToStrangersOnly(t *testing.T) {
	t.Parallel()
	n := startForThrottles(t)
	known := newBrowser(t, n)
	signIn(t, known, throttledSite, "alice", alicePassword)
	signOut(t, known, "http://app.localhost")

	stranger := newBrowser(t, n)
	page := stranger.Open(throttledSite)
	for range 10 {
		page = login(t, stranger, page, "alice", "not the password")
		wantStatus(t, page, http.StatusUnauthorized)
	}
	page = login(t, stranger, page, "alice", alicePassword)
	wantThrottled(t, page)

	signIn(t, known, throttledSite, "alice", alicePassword)
	bob := newBrowser(t, n)
	signIn(t, bob, throttledSite, "bob", bobPassword)
}

func TestWrongPassword_ThirtyFailuresCloseTheAddress(t *testing.T) {
	t.Parallel()
	n := startForThrottles(t)
	b := newBrowser(t, n)
	page := b.Open(throttledSite)
	for i := range 30 {
		page = login(t, b, page, fmt.Sprintf("guess-%d", i), "not the password")
		wantStatus(t, page, http.StatusUnauthorized)
	}
	wantThrottled(t, login(t, b, page, "bob", bobPassword))
}
