package flows_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
)

// Whatever token is issued is also taken, and kept from upstreams: a person in
// many groups has a large one.
func TestBearer_OfAPersonInManyGroups(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients(), providers: func(now func() time.Time) []provider.Provider {
		u := local.User{Name: "alice", PasswordHash: "$plain$wonderland", Comparer: plain{}}
		for i := range 450 {
			u.Groups = append(u.Groups, fmt.Sprintf("group-of-an-organisation-%04d", i))
		}
		p, err := local.New(local.Config{Name: "local", Now: now, Users: []local.User{u}})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{p}
	}})
	b := w.signedInBrowser()
	got := w.tokens(b, func(v url.Values) {
		v.Set("scope", "openid groups")
		v["resource"] = []string{w.siteURL("one"), w.portalURL()}
	})
	access, hint := got.answer.text("access_token"), got.answer.text("id_token")
	if len(access) < 16<<10 {
		t.Fatalf("an access token of %d bytes is no large one", len(access))
	}
	if info := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+access); info.status != http.StatusOK {
		t.Errorf("userinfo: %d %s", info.status, info.text)
	}
	if open := w.bearer("one", access); open.status != http.StatusOK || open.header.Get("Upstream-Authorization") != "" {
		t.Errorf("the site: %d, and upstream gets %q", open.status, open.header.Get("Upstream-Authorization"))
	}
	public := httptest.NewRequest(http.MethodGet, w.siteURL("one")+"/public", nil)
	public.Header.Set("Authorization", "Bearer "+access)
	w.gateway.Guard().StripCredentials(public, nil)
	if passed := public.Header.Get("Authorization"); passed != "" {
		t.Error("where nobody must sign in, upstream gets the token")
	}
	params := url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "id_token_hint": {hint}}
	b.get(w.portalURL() + "/logout?" + params.Encode())
	if to := b.last.Header.Get("Location"); to != "https://web.test/bye" {
		t.Errorf("after the sign-out: %q", to)
	}
}
