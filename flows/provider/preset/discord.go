package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// Discord: https://discord.com/developers/docs/topics/oauth2
//
// OAuth 2.0 alone: there is no ID token, and who somebody is the API tells.
func init() {
	register(&Preset{
		Name: "discord", Title: "Discord", Issuer: "https://discord.com", FixedIssuer: true, Open: always,
		Configure: func(c *oidc.Config, s Settings) error {
			c.Plain = true
			c.Endpoints = oidc.Endpoints{
				Authorization: s.Issuer + "/oauth2/authorize", Token: s.Issuer + "/api/oauth2/token",
				Revocation: s.Issuer + "/api/oauth2/token/revoke", UserInfo: s.Issuer + "/api/users/@me",
			}
			c.ClaimNames = map[string]string{"sub": "id", "name": "global_name", "preferred_username": "username", "email_verified": "verified"}
			defaultScopes(c, "identify", "email")
			giveRefreshTokens(c, nil)
			return nil
		},
	})
}
