package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// thirdParties are not the operator's own: one that may name sites, one that may
// not, and a device.
func thirdParties(site string) []*client.Client {
	redirect := []string{"https://web.test/cb"}
	scopes := []string{"openid", "offline_access"}
	return []*client.Client{
		{ID: "plain", Public: true, Scopes: scopes, RedirectURIs: redirect},
		{ID: "named", Public: true, Scopes: scopes, RedirectURIs: redirect, Resources: []string{site}},
		{ID: "fixed", Public: true, Scopes: scopes, RedirectURIs: redirect, Audience: site},
		{ID: "box", Public: true, Scopes: scopes, Grants: []string{client.GrantDevice, client.GrantRefresh}, Resources: []string{site}},
		{ID: "cli", Public: true, FirstParty: true, Scopes: scopes, Grants: []string{client.GrantDevice, client.GrantRefresh}},
	}
}

// A client that is not the operator's own opens no site with a token of which
// the person was not told (RFC 8707, section 2.2; RFC 9700, section 2.3).
func TestConsent_CoversResources(t *testing.T) {
	const one = "http://one.sites.test"
	w := newWorld(t, worldOptions{portal: true, clients: thirdParties(one)})
	b := w.signedInBrowser()
	params := func(id string, resource ...string) url.Values {
		p := authorizeParams(id, "https://web.test/cb", "openid offline_access")
		p["resource"] = resource
		return p
	}
	ask := func(p url.Values) *browser { return b.get(w.portalURL() + "/authorize?" + p.Encode()) }
	location := func(p url.Values) string { return ask(p).last.Header.Get("Location") }
	allow := func() string {
		t.Helper()
		b.submit(url.Values{"decision": {"approve"}})
		to, err := url.Parse(b.last.Header.Get("Location"))
		if err != nil || to.Query().Get("code") == "" {
			t.Fatalf("no code: %d %s %s", b.last.StatusCode, b.last.Header.Get("Location"), b.body)
		}
		return to.Query().Get("code")
	}
	redeemed := func(id, code string, resource ...string) said {
		form := redeem(code)
		form["resource"] = resource
		form.Set("client_id", id)
		return w.call("token", form)
	}
	none := func(p url.Values) url.Values { return with(p, set("prompt", "none")) }

	if to := location(params("plain", w.siteURL("one"))); !strings.Contains(to, "error=invalid_target") {
		t.Errorf("a site, without a list: %s", to)
	}
	ask(params("plain")).want(http.StatusOK, "Allow")
	if strings.Contains(b.body, "Act as you") {
		t.Errorf("a consent to nothing but the issuer speaks of sites:\n%s", b.body)
	}
	code := allow()
	redeemed("plain", code, w.siteURL("one")).refused(t, "a site at the token endpoint", http.StatusBadRequest, "invalid_target")
	got := redeemed("plain", code)
	if aud := audienceOf(t, got); !slices.Equal(aud, []string{w.portalURL()}) {
		t.Errorf("audience %v", aud)
	}
	w.call("token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"plain"}, "refresh_token": {got.answer.text("refresh_token")}, "resource": {w.siteURL("one")},
	}).refused(t, "a site at a refresh", http.StatusBadRequest, "invalid_target")

	// Consent without the site is none to the site, at either endpoint.
	ask(params("named")).want(http.StatusOK, "Allow")
	code = allow()
	redeemed("named", code, one).refused(t, "a site that nobody was asked about", http.StatusBadRequest, "invalid_target")
	if to := location(none(params("named", one))); !strings.Contains(to, "error=consent_required") {
		t.Errorf("a site in silence: %s", to)
	}
	ask(params("named", one)).want(http.StatusOK, "Act as you at one.sites.test")
	if aud := audienceOf(t, redeemed("named", allow(), one)); !slices.Equal(aud, []string{one}) {
		t.Errorf("audience %v", aud)
	}
	if to := location(none(params("named", one))); !strings.Contains(to, "code=") {
		t.Errorf("what was allowed is asked again: %s", to)
	}
	if to := location(none(params("named"))); !strings.Contains(to, "code=") {
		t.Errorf("less than was allowed is asked again: %s", to)
	}
	ask(params("fixed")).want(http.StatusOK, "Act as you at one.sites.test")
	b.get(w.portalURL()+"/").want(http.StatusOK, "Act as you at one.sites.test")
}

// The page on which a device is approved says where it could act.
func TestDevice_ResourcesAreShown(t *testing.T) {
	const one = "http://one.sites.test"
	w := newWorld(t, worldOptions{portal: true, clients: thirdParties(one)})
	for name, c := range map[string]struct {
		client, text string
		resource     []string
	}{
		"a site":     {"box", "Act as you at one.sites.test", []string{one}},
		"any site":   {"cli", "Act as you at all sites", nil},
		"our own":    {"cli", "Act as you at two.sites.test", []string{w.siteURL("two")}},
		"the issuer": {"box", "Confirm who you are", nil},
	} {
		started := w.call("device_authorization", url.Values{"client_id": {c.client}, "scope": {"openid"}, "resource": c.resource})
		b := newBrowser(t)
		b.get(started.answer.text("verification_uri_complete")).signIn("alice", "wonderland").want(http.StatusOK, c.text)
		if strings.Contains(b.body, "Act as you") != strings.HasPrefix(c.text, "Act") {
			t.Errorf("%s:\n%s", name, b.body)
		}
	}
}
