package oidc

import (
	"maps"
	"slices"
)

// Google fills in what is known of Google's accounts: issuer and title, and
// that it has a parameter in place of the scope offline_access. A domain rule
// counts verified e-mail addresses; with HostedDomain set, an account must
// belong to that Workspace as well, which a private Google account with an
// address of the domain does not.
func Google(c Config) Config {
	c.Issuer = "https://accounts.google.com"
	if c.Title == "" {
		c.Title = "Google"
	}
	params := map[string]string{}
	maps.Copy(params, c.AuthParams)
	if i := slices.Index(c.Scopes, "offline_access"); i >= 0 {
		c.Scopes = slices.Delete(slices.Clone(c.Scopes), i, i+1)
		params["access_type"] = "offline"
	}
	c.AuthParams = params
	return c
}
