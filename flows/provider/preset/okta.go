package preset

import (
	"errors"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// Okta: https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
//
// The organization's server (https://example.okta.com) has the scope groups; a custom
// one (https://example.okta.com/oauth2/default) only where it was added.
func init() {
	register(&Preset{
		Name: "okta", Title: "Okta", Example: "https://example.okta.com/oauth2/default",
		IssuerCure: "Check the id of the authorization server after /oauth2/; the organization's own has no path.",
		Check: func(s Settings) error {
			if u, err := url.Parse(s.Issuer); err == nil && strings.Contains(u.Hostname(), "-admin.") {
				return errors.New("the issuer is not the address of the admin console; write " + strings.Replace(s.Issuer, "-admin.", ".", 1))
			}
			return wantNoSlash("Okta", s.Issuer)
		},
		Configure: func(c *oidc.Config, _ Settings) error {
			c.GroupsScope = "groups"
			return nil
		},
	})
}
