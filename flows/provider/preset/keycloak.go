package preset

import (
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// Keycloak: https://www.keycloak.org/securing-apps/oidc-layers
//
// Roles of the realm and of clients (realm_access.roles, resource_access.CLIENT.roles)
// are in the access token alone by default, which is a signed JWT; a mapper, and a
// lightweight access token, may have them in the ID token or userinfo.
func init() {
	register(&Preset{
		Name: "keycloak", Title: "Keycloak", Example: "https://sso.example.com/realms/main",
		IssuerCure: "Check the realm's name, which is case-sensitive; before Keycloak 17 the path begins with /auth/realms.",
		Check: func(s Settings) error {
			if err := wantPath(s.Issuer, "/realms/", "https://sso.example.com/realms/main"); err != nil {
				return err
			}
			return wantNoSlash("Keycloak", s.Issuer)
		},
		Configure: func(c *oidc.Config, _ Settings) error {
			c.GroupsInAccessToken = strings.HasPrefix(c.GroupsClaim, "realm_access.") || strings.HasPrefix(c.GroupsClaim, "resource_access.")
			return nil
		},
	})
}
