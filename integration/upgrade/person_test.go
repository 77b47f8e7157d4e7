package upgrade_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// login fills in the page's form for a name and a password.
func login(t *testing.T, b *browser.Browser, page *browser.Page, user, password string) *browser.Page {
	t.Helper()
	return b.Submit(page, b.Find(page, "password"), map[string]string{"username": user, "password": password})
}

// signIn opens an address as somebody who is not signed in yet.
func signIn(t *testing.T, b *browser.Browser, address, user, password string) {
	t.Helper()
	wantOK(t, login(t, b, b.Open(address), user, password))
}

// signInForMail signs somebody in at the provider, whose token the site passes on.
func signInForMail(t *testing.T, b *browser.Browser, user string) {
	t.Helper()
	wantOK(t, login(t, b, chooseSSO(t, b), user, openid.Password))
}

// chooseSSO opens the site for mail and follows the link to the provider, whose
// page is returned.
func chooseSSO(t *testing.T, b *browser.Browser) *browser.Page {
	t.Helper()
	page := b.Open(mail + "/")
	for _, address := range page.Links() {
		if strings.Contains(address, "/signin?") && strings.Contains(address, "provider=sso") {
			return b.Open(address)
		}
	}
	return page // there is no choice
}

// signOut signs out at a site, by its page and form.
func signOut(t *testing.T, b *browser.Browser, origin string) {
	t.Helper()
	page := b.Open(origin + "/.gatehouse/logout")
	if len(page.Forms()) != 1 {
		t.Fatalf("the sign-out page answers %d:\n%s%s", page.Status, page.Path(), page.Text())
	}
	b.Submit(page, page.Forms()[0], nil)
}

// isIn reports whether a browser is let in without more ado.
func isIn(b *browser.Browser, origin string) bool {
	return b.Step(origin+"/").Status == http.StatusOK
}

func wantOK(t *testing.T, page *browser.Page) {
	t.Helper()
	if page.Status != http.StatusOK {
		t.Fatalf("answered %d:\n%s%s", page.Status, page.Path(), page.Text())
	}
}

// asksConsent reports whether a page asks whether a client may have something.
func asksConsent(page *browser.Page) bool {
	return slices.ContainsFunc(page.Forms(), func(f browser.Form) bool {
		return f.Action != nil && strings.HasSuffix(f.Action.Path, "/consent")
	})
}

const verifier = "a-verifier-of-more-than-forty-three-characters-123"

// authorizeURL is where the client wiki sends a browser.
func authorizeURL(scope string) string {
	return portal + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"wiki"}, "redirect_uri": {wikiCallback}, "scope": {scope}, "resource": {app},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

// codeForWiki sends a browser that is signed in to the portal for the client wiki,
// consents if it is asked, and returns the code and whether it was.
func codeForWiki(t *testing.T, b *browser.Browser, scope string) (code string, asked bool) {
	t.Helper()
	b.StopAt("/callback")
	defer b.StopAt("")
	page := b.Open(authorizeURL(scope))
	if asked = asksConsent(page); asked {
		page = b.Submit(page, b.Find(page, "request"), map[string]string{"decision": "approve"})
	}
	next := page.Next()
	if next == nil || next.Query().Get("code") == "" {
		t.Fatalf("no code:\n%s%s", page.Path(), page.Text())
	}
	return next.Query().Get("code"), asked
}
