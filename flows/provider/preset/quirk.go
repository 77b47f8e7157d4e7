package preset

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

const offlineScope = "offline_access"

// giveRefreshTokens is for a provider that knows no scope offline_access: it gives
// refresh tokens anyway, or where these parameters ask for them.
func giveRefreshTokens(c *oidc.Config, params map[string]string) {
	i := slices.Index(c.Scopes, offlineScope)
	if i < 0 {
		return
	}
	c.Scopes = slices.Delete(slices.Clone(c.Scopes), i, i+1)
	for name, value := range params {
		setParam(c, name, value)
	}
}

// setParam adds a parameter of the authorization request that the operator has not
// set.
func setParam(c *oidc.Config, name, value string) {
	if _, ok := c.AuthParams[name]; ok || value == "" {
		return
	}
	params := map[string]string{name: value}
	maps.Copy(params, c.AuthParams)
	c.AuthParams = params
}

// defaultScopes are asked for where the operator has not said what to ask for. The
// scope for refresh tokens is kept.
func defaultScopes(c *oidc.Config, scopes ...string) {
	switch {
	case len(c.Scopes) == 0:
		c.Scopes = scopes
	case slices.Equal(c.Scopes, []string{"openid", "profile", "email", offlineScope}):
		c.Scopes = append(scopes, offlineScope)
	}
}

func defaultGroups(c *oidc.Config, claim, as string) {
	if c.GroupsClaim == "" {
		c.GroupsClaim, c.GroupsAs = claim, as
	}
}

// defaultEndpoints are those that the operator has not named.
func defaultEndpoints(c *oidc.Config, defaults oidc.Endpoints) {
	chosen := c.Endpoints.Named()
	for name, endpoint := range defaults.Named() {
		if *chosen[name] == "" {
			*chosen[name] = *endpoint
		}
	}
}

// isHost reports whether an issuer is at a host.
func isHost(issuer string, hosts ...string) bool {
	host := hostOf(issuer)
	return host != "" && slices.Contains(hosts, host)
}

// hostOf is an issuer's host, or "".
func hostOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// wantPath refuses an issuer without a part that all issuers of a provider have.
func wantPath(issuer, part, example string) error {
	if strings.Contains(issuer, part) {
		return nil
	}
	return errors.New("the issuer has " + part + " in it, such as " + example)
}

// wantSlash refuses an issuer without a slash at its end where all issuers of a
// provider have one: it is compared to the letter.
func wantSlash(title, issuer string) error {
	if strings.HasSuffix(issuer, "/") {
		return nil
	}
	return errors.New(title + "'s issuer ends in a slash; write " + issuer + "/")
}

// wantNoSlash refuses a slash at the end where no issuer of a provider has one.
func wantNoSlash(title, issuer string) error {
	if !strings.HasSuffix(issuer, "/") {
		return nil
	}
	return errors.New(title + "'s issuer has no slash at its end; write " + strings.TrimRight(issuer, "/"))
}

func always(Settings) bool { return true }
