package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// choosing is a gateway with another one for a provider, and local users beside it.
func choosing(t *testing.T, portal bool, offers map[string]flows.Offer) (op, rp *world) {
	t.Helper()
	return twoWorldsWith(t, worldOptions{
		portal: portal, portalHost: "auth.test", offers: offers,
		beside: func(now func() time.Time) []provider.Provider { return []provider.Provider{localProvider(t, now)} },
	})
}

// at reports whether a browser is at a host.
func (b *browser) at(address string) bool {
	u, err := url.Parse(address)
	return err == nil && b.last.Request.URL.Host == u.Host
}

// addressForm is the page's form for an address, filled in.
func (b *browser) addressForm(address string) *http.Request {
	b.t.Helper()
	if !strings.Contains(b.body, `for="address"`) {
		b.t.Fatalf("no form for an address:\n%s", b.body)
	}
	return b.form(url.Values{"address": {address}})
}

// TestChoice_Hidden: a hidden provider is no choice, and one that is left needs none.
func TestChoice_Hidden(t *testing.T) {
	op, rp := choosing(t, false, map[string]flows.Offer{"local": {Hidden: true}})
	if b := newBrowser(t).get(rp.siteURL("app") + "/"); !b.at(op.portalURL()) {
		t.Errorf("it goes to %s", b.last.Request.URL)
	}
	_, rp = choosing(t, false, map[string]flows.Offer{"outside": {Hidden: true}})
	if b := newBrowser(t).get(rp.siteURL("app")+"/").want(200, "password"); strings.Contains(b.body, "Outside") {
		t.Errorf("a hidden provider is offered:\n%s", b.body)
	}
}

// TestChoice_PickedByTheGuard: a guard picks a provider, offered or hidden, for whoever
// is not signed in.
func TestChoice_PickedByTheGuard(t *testing.T) {
	for name, portal := range map[string]bool{"a site of its own": false, "a portal": true} {
		t.Run(name, func(t *testing.T) {
			for _, offers := range []map[string]flows.Offer{nil, {"outside": {Hidden: true}}} {
				op, rp := choosing(t, portal, offers)
				rp.pick = "outside"
				b := newBrowser(t).get(rp.siteURL("app") + "/x?y=1")
				if !b.at(op.portalURL()) {
					t.Fatalf("it goes to %s", b.last.Request.URL)
				}
				b.signIn("alice", "wonderland").want(200, "hello alice@example.com at /x?y=1")
				rp.pick = "local"
				b.get(rp.siteURL("app")+"/").want(200, "hello alice@example.com") // who is signed in stays
				newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice at /")
				rp.pick = "nobody"
				newBrowser(t).get(rp.siteURL("app")+"/").want(200, "password")
			}
		})
	}
}

// TestChoice_Domains: an e-mail address of a provider's domain leads there, with the
// address, and no other does.
func TestChoice_Domains(t *testing.T) {
	op, rp := choosing(t, false, map[string]flows.Offer{"outside": {Hidden: true, Domains: []string{"example.com"}}})
	for address, leads := range map[string]bool{
		"alice@example.com": true, " alice@EXAMPLE.com ": true, "alice@sub.example.com": false, "example.com": false,
		"@example.com": false, "alice@example.com@evil.example": false, "": false, strings.Repeat("a", 300) + "@example.com": false,
	} {
		b := newBrowser(t).get(rp.siteURL("app")+"/").want(200, "E-mail address")
		form := b.addressForm(address)
		b.do(form)
		if b.at(op.portalURL()) != leads {
			t.Errorf("%q leads to %s", address, b.last.Request.URL)
		}
		if leads && b.last.Request.URL.Query().Get("login_hint") != strings.TrimSpace(address) {
			t.Errorf("%q is passed on as %s", address, b.last.Request.URL.RawQuery)
		}
		if !leads {
			b.want(200, "Nobody signs in here by an address of that domain")
		}
	}
}

// TestChoice_IsRemembered: the way of the last sign-in comes first.
func TestChoice_IsRemembered(t *testing.T) {
	_, rp := choosing(t, false, nil)
	b := newBrowser(t).get(rp.siteURL("app") + "/")
	if strings.Contains(b.body, "used last time") {
		t.Error("a stranger has chosen before")
	}
	b.follow("Outside").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(rp.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "You are signed out")
	b.get(rp.siteURL("app")+"/").want(200, "Outside</bdi> (used last time)")
}
