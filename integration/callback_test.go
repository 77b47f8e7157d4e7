package integration_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
)

// change returns an address with a changed query.
func change(t testing.TB, address string, edit func(url.Values)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	edit(query)
	u.RawQuery = query.Encode()
	return u.String()
}

// wantRefusal checks that a callback was refused plainly: no session, a way on,
// nothing cached.
func wantRefusal(t testing.TB, page *browser.Page) {
	t.Helper()
	wantStatus(t, page, http.StatusBadRequest, http.StatusForbidden)
	for _, cookie := range page.Trail[0].Cookies {
		if cookie.Name == "gatehouse" && cookie.Value != "" {
			t.Error("a refused callback gave a session")
		}
	}
	if len(page.Links()) == 0 {
		t.Errorf("the page shows no way on: %s", page.Text())
	}
	if got := page.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}

// TestCallback_IsRefusedBeforeTheCodeIsSentOn: whatever is wrong with a
// callback, the provider must not be asked (proxies have redeemed codes before
// they looked at the state).
func TestCallback_IsRefusedBeforeTheCodeIsSentOn(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	for name, edit := range map[string]func(url.Values){
		"state missing":         func(q url.Values) { q.Del("state") },
		"state empty":           func(q url.Values) { q.Set("state", "") },
		"state cut short":       func(q url.Values) { q.Set("state", q.Get("state")[:20]) },
		"state extended":        func(q url.Values) { q.Set("state", q.Get("state")+"A") },
		"state invented":        func(q url.Values) { q.Set("state", strings.Repeat("A", len(q.Get("state")))) },
		"state twice":           func(q url.Values) { q.Add("state", q.Get("state")) },
		"code twice":            func(q url.Values) { q.Add("code", "another") },
		"code twice, the same":  func(q url.Values) { q.Add("code", q.Get("code")) },
		"code and error":        func(q url.Values) { q.Set("error", "access_denied") },
		"code missing":          func(q url.Values) { q.Del("code") },
		"iss of somebody else":  func(q url.Values) { q.Add("iss", "https://evil.example"); q.Add("iss", "https://evil.example") },
		"an error of its own":   func(q url.Values) { q.Del("code"); q.Set("error", "<script>alert(1)</script>") },
		"an error without end":  func(q url.Values) { q.Del("code"); q.Set("error", strings.Repeat("x", 5000)) },
		"everything is missing": func(q url.Values) { clear(q) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, s.node)
			callback := stopAtCallback(t, b, ssoSite+"/", "alice")
			before := s.provider.Requests(tokenPath)
			page := b.Step(change(t, callback, edit))
			wantRefusal(t, page)
			if s.provider.Requests(tokenPath) != before {
				t.Error("the code was sent to the provider")
			}
			if strings.Contains(page.Body, "<script>alert") || len(page.Body) > 30000 {
				t.Error("the page repeats what the address said")
			}
			if signedIn(t, b, ssoSite) {
				t.Error("signed in by a refused callback")
			}
		})
	}
}

func TestCallback_OfAnotherBrowserIsRefused(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	mallory := newBrowser(t, s.node)
	callback := stopAtCallback(t, mallory, ssoSite+"/", "bob")
	before := s.provider.Requests(tokenPath)

	for name, prepare := range map[string]func(*browser.Browser){
		"that never began":       func(*browser.Browser) {},
		"that began another one": func(b *browser.Browser) { stopAtCallback(t, b, ssoSite+"/", "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			victim := newBrowser(t, s.node)
			prepare(victim)
			victim.StopAt("")
			wantRefusal(t, victim.Step(callback))
			if signedIn(t, victim, ssoSite) {
				t.Error("signed in as somebody else (login CSRF)")
			}
		})
	}
	if s.provider.Requests(tokenPath) != before {
		t.Error("the code was sent to the provider")
	}
}

func TestCallback_ReplayedIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	b := newBrowser(t, s.node)
	callback := stopAtCallback(t, b, ssoSite+"/", "alice")
	attempt := newBrowser(t, s.node) // as it was before the callback
	for _, cookie := range b.Cookies(callback) {
		attempt.SetCookie(callback, &http.Cookie{Name: cookie.Name, Value: cookie.Value, Path: "/.gatehouse/"})
	}
	b.StopAt("")
	wantStatus(t, b.Open(callback), http.StatusOK)
	before := s.provider.Requests(tokenPath)

	// Whoever is signed in goes on to where that sign-in was for (oauth2-proxy#1387).
	if page := b.Step(callback); page.Status != http.StatusSeeOther || page.Header.Get("Location") != "/" {
		t.Errorf("a replay by who is signed in: %d to %q", page.Status, page.Header.Get("Location"))
	}
	if !signedIn(t, b, ssoSite) {
		t.Error("a replay signed the browser out")
	}
	wantRefusal(t, attempt.Step(callback))
	if signedIn(t, attempt, ssoSite) {
		t.Error("a replay with the attempt's cookie signed in")
	}
	if s.provider.Requests(tokenPath) != before {
		t.Error("the code was sent to the provider again")
	}
}

func TestCallback_ARefusalOfTheProviderOffersToTryAgain(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	b := newBrowser(t, s.node)
	callback := stopAtCallback(t, b, ssoSite+"/reports?year=2026", "alice")
	page := b.Step(change(t, callback, func(q url.Values) {
		q.Del("code")
		q.Set("error", "access_denied")
		q.Set("error_description", "Call 0800-EVIL to unlock")
	}))
	wantRefusal(t, page)
	if strings.Contains(page.Text(), "0800") {
		t.Error("the page repeats what the address said")
	}
	b.StopAt("")
	for _, link := range page.Links() {
		again := login(t, b, b.Open(link), "alice", "correct horse battery")
		if got := again.URL.RequestURI(); again.Status == http.StatusOK && got == "/reports?year=2026" {
			return
		}
	}
	t.Errorf("no link of the page leads to the asked-for page: %v", page.Links())
}
