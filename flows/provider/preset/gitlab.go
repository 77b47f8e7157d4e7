package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// GitLab: https://docs.gitlab.com/integration/openid_connect_provider/
//
// Groups are full paths ("acme/devs"), all of them in userinfo alone. The scope
// offline_access is unknown there, and refresh tokens are always given.
func init() {
	register(&Preset{
		Name: "gitlab", Title: "GitLab", Issuer: "https://gitlab.com", Example: "https://gitlab.example.com",
		Open:       func(s Settings) bool { return isHost(s.Issuer, "gitlab.com") },
		IssuerCure: "Write the server's external_url.",
		Check:      func(s Settings) error { return wantNoSlash("GitLab", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			giveRefreshTokens(c, nil)
			return nil
		},
	})
}
