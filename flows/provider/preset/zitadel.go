package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

const zitadelRoles = "urn:zitadel:iam:org:project:roles"

// Zitadel: https://zitadel.com/docs/apis/openidoauth/claims
//
// Roles are the names of an object, {"staff": {"ORG": "DOMAIN"}}, and are told where
// the scope of their claim's name is asked for.
func init() {
	register(&Preset{
		Name: "zitadel", Title: "Zitadel", Example: "https://example.zitadel.cloud",
		IssuerCure: "Check the instance's domain, its custom one if it has one.",
		Check:      func(s Settings) error { return wantNoSlash("Zitadel", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			defaultScopes(c, "openid", "profile", "email", zitadelRoles)
			defaultGroups(c, zitadelRoles, oidc.GroupsAsKeys)
			return nil
		},
	})
}
