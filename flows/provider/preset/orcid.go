package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// ORCID: https://info.orcid.org/documentation/api-tutorials/api-tutorial-get-and-authenticated-orcid-id/
//
// It tells the ORCID iD as sub, and no address. Of OpenID Connect's scopes it knows
// openid alone, and it wants the client's secret in the form.
func init() {
	register(&Preset{
		Name: "orcid", Title: "ORCID", Issuer: "https://orcid.org", Example: "https://sandbox.orcid.org",
		Open:  always,
		Check: func(s Settings) error { return wantNoSlash("ORCID", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			defaultScopes(c, "openid")
			giveRefreshTokens(c, nil)
			if c.ClientAuth == "" {
				c.ClientAuth = "client_secret_post"
			}
			return nil
		},
	})
}
