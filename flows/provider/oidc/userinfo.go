package oidc

import (
	"context"
	"errors"
	"maps"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// addUserInfo fills in, from the userinfo endpoint, the claims that the ID
// token does not have. The answer must be for the ID token's subject (OpenID
// Connect Core, section 5.3.2).
func (p *Provider) addUserInfo(ctx context.Context, m *metadata, idToken claimSet, accessToken string) (claimSet, error) {
	if m.UserInfoURL == "" || !outbound.IsToken(accessToken) {
		return idToken, nil
	}
	body, err := outbound.GetJSON(ctx, p.client, m.UserInfoURL, accessToken)
	if err != nil {
		return nil, p.unavailable("asking for the user", err)
	}
	info, err := parseClaims(body)
	if err != nil {
		return nil, p.refuse("userinfo", err)
	}
	if sub := textOf(info["sub"]); sub == "" || sub != textOf(idToken["sub"]) {
		return nil, p.refuse("userinfo", errors.New("it is of another user"))
	}
	return merge(idToken, info), nil
}

// merge lets the signed claims win. An address and whether it is verified
// belong together: they come from one source. What says who signed in, and
// how, comes from the ID token only.
func merge(idToken, info claimSet) claimSet {
	all := maps.Clone(info)
	for _, name := range []string{"iss", "aud", "azp", "exp", "iat", "nbf", "auth_time", "acr", "amr", "sid", "hd", "_claim_names", "_claim_sources"} {
		delete(all, name)
	}
	if idToken.has("email") {
		delete(all, "email_verified")
	} else {
		idToken = maps.Clone(idToken)
		delete(idToken, "email_verified")
	}
	for name, raw := range idToken {
		if idToken.has(name) {
			all[name] = raw
		}
	}
	return all
}
