package flows_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestCallback_ExpiredAtTheProvider: lua-resty-openidc#549. Keycloak answers so where
// its own page was open for too long; the sign-in begins anew by itself, once.
func TestCallback_ExpiredAtTheProvider(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	expired := func() string {
		u := mustParse(t, stopAtCallback(t, b, rp))
		q := u.Query()
		q.Del("code")
		q.Set("error", "temporarily_unavailable")
		q.Set("error_description", "authentication_expired")
		u.RawQuery = q.Encode()
		return u.String()
	}
	// The person is signed in at the provider by now.
	b.get(expired()).want(http.StatusOK, "hello alice@example.com at /secret")

	b = newBrowser(t)
	held := b.held()
	held.get(expired())
	to := held.last.Header.Get("Location")
	if held.last.StatusCode != http.StatusSeeOther || to == "" {
		t.Fatalf("%d\n%s", held.last.StatusCode, held.body)
	}
	held.get(rp.siteURL("app")+"/.gatehouse/callback/outside?error=temporarily_unavailable&error_description=authentication_expired&state="+
		mustParse(t, to).Query().Get("state")).want(http.StatusForbidden, "has a problem at the moment")
}

// An error may be described in any way; the page is that of the error, and what was
// wanted is not forgotten.
func TestCallback_ErrorDescriptionsInAnyShape(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	for _, description := range []string{"no;thanks", "100% sure", "%", "%zz", "a%", ";", "caf\u00e9%C3", "a+b;c=d", "%00%ff"} {
		b := newBrowser(t)
		u := mustParse(t, stopAtCallback(t, b, rp))
		b.raw(rp.siteURL("app"), u.Path+"?error=access_denied&state="+u.Query().Get("state")+"&error_description="+strings.ReplaceAll(description, " ", "%20"))
		b.want(http.StatusForbidden, "cancelled or refused").follow("Try again").want(http.StatusOK, "hello alice@example.com at /secret")
	}
	// What counts is still read strictly.
	for _, query := range []string{"error=access_denied;x&state=", "error=%zz&state=", "iss=%&code=x&state=", "code=a;b&state="} {
		b := newBrowser(t)
		u := mustParse(t, stopAtCallback(t, b, rp))
		b.raw(rp.siteURL("app"), u.Path+"?"+query+u.Query().Get("state")).want(http.StatusBadRequest, "cannot be read")
	}
}
