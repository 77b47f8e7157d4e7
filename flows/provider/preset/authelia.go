package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// Authelia: https://www.authelia.com/integration/openid-connect/openid-connect-1.0-claims/
//
// Since 4.39 ID tokens have the subject alone, and the rest is in userinfo. Groups
// need the scope groups, which the client there must be allowed.
func init() {
	register(&Preset{
		Name: "authelia", Title: "Authelia", Example: "https://auth.example.com",
		IssuerCure: "Check the address of its portal, with the path if it has one, and that identity_providers.oidc is configured there.",
		Check:      func(s Settings) error { return wantNoSlash("Authelia", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			c.GroupsScope = "groups"
			return nil
		},
	})
}
