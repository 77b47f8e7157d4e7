package preset

import "github.com/gatehouse-auth/gatehouse/flows/provider/oidc"

// Google: https://developers.google.com/identity/openid-connect/openid-connect
//
// An address of somebody else's domain may be that of a private account, whose owner
// had it once; the claim hd says whose Workspace an account belongs to. So a domain
// rule also holds hd, but for gmail.com, which has none.
func init() {
	register(&Preset{
		Name: "google", Title: "Google", Issuer: "https://accounts.google.com", FixedIssuer: true, Open: always,
		// It sends the browser on to such a page, whether or not anybody is signed in.
		Faults: map[string]string{
			"/signin/oauth/error": "check client_id, and add the redirect URI to the OAuth client: Google compares it to the letter",
		},
		Options: map[string]Option{"hosted_domain": {Example: "example.com"}},
		Configure: func(c *oidc.Config, s Settings) error {
			c.DomainClaim, c.DomainsWithout = "hd", []string{"gmail.com", "googlemail.com"}
			c.HostedDomain = s.Get("hosted_domain")
			giveRefreshTokens(c, map[string]string{"access_type": "offline"})
			return nil
		},
	})
}
