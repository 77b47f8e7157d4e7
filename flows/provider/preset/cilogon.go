package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// CILogon: https://www.cilogon.org/oidc
//
// Addresses come without email_verified, and anybody can sign in, with an account of a
// university, of Google, GitHub or ORCID. eppn and idp come with a scope of its own.
func init() {
	register(&Preset{
		Name: "cilogon", Title: "CILogon", Issuer: "https://cilogon.org", Example: "https://test.cilogon.org",
		Open:  always,
		Check: func(s Settings) error { return wantNoSlash("CILogon", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			defaultScopes(c, "openid", "profile", "email", "org.cilogon.userinfo")
			defaultGroups(c, "isMemberOf", "")
			return nil
		},
	})
}
