package client

import "testing"

// OpenID Connect Core, section 9: the aud SHOULD be the token endpoint, and Authlib can
// send no other. It is taken alone, and only of a client that says so.
func TestAssertionAudience(t *testing.T) {
	const issuer, endpoint = "https://auth.test", "https://auth.test/token"
	a := &Authenticator{Issuer: issuer, TokenEndpoint: endpoint}
	for _, c := range []struct {
		aud              []string
		byDefault, other bool
	}{
		{[]string{issuer}, true, true},
		{[]string{issuer, endpoint}, true, true},
		{[]string{endpoint}, false, true},
		{[]string{endpoint, "https://evil.test"}, false, false},
		{[]string{issuer, "https://evil.test"}, false, false},
		{[]string{"https://auth.test/token/"}, false, false},
		{nil, false, false},
	} {
		for choice, want := range map[string]bool{AudienceIssuer: c.byDefault, AudienceTokenEndpoint: c.other} {
			if got := a.isAudience(&Client{AssertionAudience: choice}, c.aud); got != want {
				t.Errorf("%s: %q is %t", choice, c.aud, got)
			}
		}
	}
	if (&Client{ID: "x", Public: true, RedirectURIs: []string{"https://a.test/"}, AssertionAudience: "token"}).Validate() == nil {
		t.Error("another audience loads")
	}
}
