package flows_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// What does not fit on a person's own page can be reached, and ended, by links.
func TestHome_LeadsToTheRest(t *testing.T) {
	p := newPilots(t, nil, nil)
	b := newBrowser(t)
	p.opens(b, 1)
	ann, ctx := p.subject(), t.Context()
	for i := range 45 {
		client := fmt.Sprintf("client-%02d", i)
		err := p.store.SetConsent(ctx, tokenstore.Consent{Subject: ann, ClientID: client, Scope: []string{"openid"}, At: p.clock.now()})
		if err == nil {
			err = p.store.SetDelegation(ctx, tokenstore.Delegation{Subject: ann, ClientID: client, Provider: p.hub.url, AllowedAt: p.clock.now()})
		}
		if err == nil {
			err = p.store.Link(ctx, ann, tokenstore.Identity{Issuer: fmt.Sprintf("https://idp-%02d.test", i), Subject: "ann"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		more, button, last string
		first, rest        int
	}{
		"applications": {"5 more applications", `name="client"`, "client-44", 40, 5},
		"accounts":     {"6 more accounts", `name="identity"`, "idp-44.test", 39, 6}, // one is used now
		"programs":     {"6 more programs", `name="forbid"`, "client-44", 39, 6},     // one is not allowed
	} {
		b.get(p.portalURL()+"/").want(http.StatusOK, tt.more)
		if got := strings.Count(b.body, tt.button); got != tt.first {
			t.Errorf("%s: at first %d", name, got)
		}
		b.follow(tt.more).want(http.StatusOK, tt.last)
		if got := strings.Count(b.body, tt.button); got != tt.rest || strings.Contains(b.body, tt.more) {
			t.Errorf("%s: then %d", name, got)
		}
	}
	for _, from := range []string{"-1", "x", "9999999999999999999999", "45", "%00"} {
		b.get(p.portalURL()+"/?applications="+from).want(http.StatusOK, "client-00")
	}
}
