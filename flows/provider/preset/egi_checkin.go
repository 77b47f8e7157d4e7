package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// EGI Check-in: https://docs.egi.eu/providers/check-in/sp/
//
// Groups are the entitlements of AARC-G069 (urn:mace:egi.eu:group:VO:role=ROLE#AUTHORITY).
// Anybody can register, with an account of almost any university or of Google.
func init() {
	register(&Preset{
		Name: "egi_checkin", Title: "EGI Check-in", Issuer: "https://aai.egi.eu/auth/realms/egi", Example: "https://aai-dev.egi.eu/auth/realms/egi",
		Hosts: []string{"aai-demo.egi.eu"}, Open: always,
		IssuerCure: "The instances are https://aai.egi.eu, https://aai-demo.egi.eu and https://aai-dev.egi.eu, each with /auth/realms/egi.",
		Check:      func(s Settings) error { return wantNoSlash("EGI Check-in", s.Issuer) },
		Configure: func(c *oidc.Config, _ Settings) error {
			defaultScopes(c, "openid", "profile", "email", "voperson_id", "entitlements")
			defaultGroups(c, "entitlements", "")
			return nil
		},
	})
}
