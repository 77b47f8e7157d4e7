package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// Pocket ID: https://pocket-id.org/docs/guides/oidc-client-authentication
//
// Groups need the scope groups. The scope offline_access is unknown to older versions,
// which give refresh tokens anyway.
func init() {
	register(&Preset{
		Name: "pocket_id", Title: "Pocket ID", Example: "https://id.example.com",
		IssuerCure: "Write APP_URL as it is configured there.",
		Check:      func(s Settings) error { return wantNoSlash("Pocket ID", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			c.GroupsScope = "groups"
			giveRefreshTokens(c, nil)
			return nil
		},
	})
}
