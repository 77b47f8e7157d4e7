package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// Auth0: https://auth0.com/docs/get-started/applications/configure-applications-with-oidc-discovery
//
// The issuer ends in a slash. Claims of an Action have a URL for a name:
// groups_claim https://example.com/roles.
func init() {
	register(&Preset{
		Name: "auth0", Title: "Auth0", Example: "https://example.eu.auth0.com/",
		Options:    map[string]Option{"audience": {Example: "https://api.example.com"}},
		IssuerCure: "Check the tenant's domain, with its region (.eu.auth0.com), or the custom domain.",
		Check:      func(s Settings) error { return wantSlash("Auth0", s.Issuer) },
		Configure: func(c *oidc.Config, s Settings) error {
			setParam(c, "audience", s.Get("audience"))
			return nil
		},
	})
}
