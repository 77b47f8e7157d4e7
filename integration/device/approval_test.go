package device_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
)

func TestApproval_IsOneDeliberateActOfTheBrowserThatWasAsked(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	cli := w.program(t, 0, "127.0.0.2", "cli")
	alice, bob := w.signedIn(t, 0, "alice"), w.signedIn(t, 0, "bob")
	elsewhere := w.signedIn(t, 0, "alice") // another browser of hers
	f := cli.begin()
	_, form := asked(t, alice, f)
	decision := func(b *browser.Browser, origin string, change ...string) *browser.Page {
		values := maps.Clone(form.Values)
		values.Set("decision", "approve")
		for i := 0; i+1 < len(change); i += 2 {
			values.Set(change[i], change[i+1])
		}
		return b.Post(form.Action.String(), origin, values)
	}
	token := func(b *browser.Browser) string { // what makes a form this browser's own
		page := b.Open(w.issuer + "/device")
		return b.Find(page, "user_code").Values.Get("form")
	}
	for name, page := range map[string]*browser.Page{
		"another person's browser":       decision(bob, w.issuer),
		"another person's, with a token": decision(bob, w.issuer, "form", token(bob)),
		"her other browser":              decision(elsewhere, w.issuer, "form", token(elsewhere)),
		"nobody's browser":               decision(w.browser(t, 0), w.issuer),
		"another site":                   decision(alice, "https://evil.example"),
		"a guarded site":                 decision(alice, w.site),
		"no form token":                  decision(alice, w.issuer, "form", ""),
		"another form token":             decision(alice, w.issuer, "form", token(bob)),
		"no request":                     decision(alice, w.issuer, "request", ""),
		"an invented request":            decision(alice, w.issuer, "request", strings.Repeat("A", 200)),
		"a request with a longer tail":   decision(alice, w.issuer, "request", form.Values.Get("request")+"A"),
		"a form too large":               decision(alice, w.issuer, "padding", strings.Repeat("x", 100_000)),
	} {
		if page.Status < 400 || page.Status > 499 {
			t.Errorf("%s: answered %d: %s", name, page.Status, page.Text())
		}
	}
	if page := alice.Open(form.Action.String() + "?" + form.Values.Encode() + "&decision=approve"); page.Status == http.StatusOK {
		t.Errorf("GET is answered %d: %s", page.Status, page.Text())
	}
	cli.poll(f).want(t, http.StatusBadRequest, "authorization_pending")

	if page := decision(alice, w.issuer); page.Status != http.StatusOK || !strings.Contains(page.Text(), "Device connected") {
		t.Fatalf("approving answers %d: %s", page.Status, page.Text())
	}
	for _, again := range []string{"approve", "refuse"} {
		page := decision(alice, w.issuer, "decision", again)
		if page.Status != http.StatusConflict || !strings.Contains(page.Text(), "answered already") {
			t.Errorf("a second answer, %s, is answered %d: %s", again, page.Status, page.Text())
		}
	}
}

func TestApproval_OfSomebodyThePolicyRefusesIsAccessDenied(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	p := w.program(t, 0, "127.0.0.2", "restricted")
	f := p.begin()
	page := decide(t, w.signedIn(t, 0, "bob"), f, "approve")
	if page.Status != http.StatusForbidden || !strings.Contains(page.Text(), "may not use restricted") {
		t.Errorf("bob is told %d %s", page.Status, page.Text())
	}
	p.poll(f).want(t, http.StatusBadRequest, "access_denied")
	f = p.begin()
	decide(t, w.signedIn(t, 0, "alice"), f, "approve")
	if a := p.poll(f); a.status != http.StatusOK {
		t.Errorf("alice's is answered %d %v", a.status, a.fields)
	}
}

func TestVerificationPages_CannotBeFramedCachedOrLookedUpByStrangers(t *testing.T) {
	t.Parallel()
	w := startNamed(t, 1, "", nil)
	f := w.program(t, 0, "127.0.0.2", "cli").begin()
	b := w.browser(t, 0)
	stranger := b.Open(f.complete)
	for _, secret := range []string{"cli", "127.0.0.2"} { // signing in comes before a code is looked up
		if strings.Contains(stranger.Text(), secret) {
			t.Errorf("a stranger reads %q: %s", secret, stranger.Text())
		}
	}
	alice := w.signedIn(t, 0, "alice")
	confirm, form := asked(t, alice, f)
	done := alice.Submit(confirm, form, map[string]string{"decision": "refuse"})
	for name, page := range map[string]*browser.Page{
		"sign-in": stranger, "code": alice.Open(w.issuer + "/device"), "question": confirm, "answer": done,
	} {
		for header, want := range map[string]string{
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := page.Header.Get(header); !strings.Contains(got, want) {
				t.Errorf("%s page: %s is %q, want %q", name, header, got, want)
			}
		}
	}
}
