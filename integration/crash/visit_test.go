package crash_test

import (
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/crash"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// visit is a browser without faults to bear, whose first node is the first one.
type visit struct {
	*testing.T
	*crash.Visitor
}

func newVisit(t *testing.T, nodes ...*gateway.Node) visit {
	t.Helper()
	v, err := crash.NewVisitor(1, routes(nodes)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return visit{t, v}
}

// signIn signs in at the site by way of the portal.
func (v visit) signIn() (siteCookie, portalCookie) {
	v.Helper()
	if err := v.Forget(); err != nil {
		v.Fatal(err)
	}
	ctx := v.Context()
	page, err := v.Open(ctx, site+"/.gatehouse/login", "")
	if err == nil {
		page, err = v.Submit(ctx, page, "password", map[string]string{"username": "person-0", "password": password}, "")
	}
	if err != nil {
		v.Fatal(err)
	}
	if page.Status != http.StatusOK || !has(v.Jar(), site) || !has(v.Jar(), issuer) {
		v.Fatalf("signing in answers %d:\n%s", page.Status, page.Text())
	}
	return siteCookie{copyJar(v, v.Jar(), site+"/")}, portalCookie{copyJar(v, v.Jar(), issuer+"/")}
}

// signOut ends the sign-in at the portal.
func (v visit) signOut() {
	v.Helper()
	page, err := v.Open(v.Context(), issuer+"/logout", "")
	if err != nil {
		v.Fatal(err)
	}
	forms := page.Forms()
	if len(forms) == 0 {
		v.Fatalf("the sign-out page has no form:\n%s", page.Text())
	}
	if page, err = v.Submit(v.Context(), page, forms[0].Fields[0], nil, ""); err != nil || page.Status != http.StatusOK {
		v.Fatalf("signing out: %v, %v", page, err)
	}
}

// code is a code of the client web, with the form that redeems it.
func (v visit) code() url.Values {
	v.Helper()
	verifier := oauth2.GenerateVerifier()
	page, err := v.Open(v.Context(), authorization(verifier), "/cb")
	if err != nil {
		v.Fatal(err)
	}
	to := page.Next()
	if to == nil || to.Query().Get("code") == "" {
		v.Fatalf("no code:\n%s", page.Text())
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {redirect},
		"code_verifier": {verifier}, "client_id": {"web"},
	}
}

// redeem exchanges a code at a node.
func (v visit) redeem(node int, form url.Values) tokens {
	v.Helper()
	var got tokens
	status, err := v.Post(v.Context(), node, issuer+"/token", form, &got)
	if err != nil || status != http.StatusOK || got.Refresh == "" {
		v.Fatalf("redeeming at node %d: %d %q %v", node, status, got.Error, err)
	}
	return got
}

// good reports whether a node takes a credential.
func (v visit) good(node int, c credential) bool {
	v.Helper()
	accepted, err := c.present(v.Context(), v.Visitor, node)
	if err != nil {
		v.Fatal(err)
	}
	return accepted
}
