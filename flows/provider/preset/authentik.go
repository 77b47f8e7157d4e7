package preset

// authentik: https://docs.goauthentik.io/add-secure-apps/providers/oauth2/
//
// Groups come with the scope profile. Since 2025.10 its scope mapping for email says
// email_verified: false of everybody, until an administrator changes that.
func init() {
	register(&Preset{
		Name: "authentik", Title: "authentik", Example: "https://authentik.example.com/application/o/gatehouse/",
		IssuerCure: "Check the application's slug, and that it has a provider.",
		Check: func(s Settings) error {
			if err := wantPath(s.Issuer, "/application/o/", "https://authentik.example.com/application/o/gatehouse/"); err != nil {
				return err
			}
			return wantSlash("authentik", s.Issuer)
		},
	})
}
