package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// AcceptsTokens reports whether tokens of the provider are taken.
func (p *Provider) AcceptsTokens() bool { return p.config.Accept != nil }

// TokenAudience is for whom tokens must be that are taken.
func (p *Provider) TokenAudience() []string {
	if p.config.Accept == nil {
		return nil
	}
	return p.config.Accept.Audience
}

// OnlyTokens reports whether nobody signs in at the provider.
func (p *Provider) OnlyTokens() bool { return p.config.tokensOnly() }

// Issued reports whether a token says that the provider issued it. Nothing of it is
// believed yet.
func (p *Provider) Issued(raw string) bool {
	token, err := parseJWS(raw)
	if err != nil {
		return false
	}
	claims, err := parseClaims(token.UnsafePayloadWithoutVerification())
	return err == nil && p.config.checkIssuerOf(claims) == nil
}

// AcceptToken verifies a JWT of the provider (RFC 9068, section 4; RFC 8725). ErrResponse,
// ErrUnavailable.
func (p *Provider) AcceptToken(ctx context.Context, raw string) (provider.Accepted, error) {
	if err := checkTokenType(raw, p.config.Accept.Workload); err != nil {
		return provider.Accepted{}, p.refuse("token", err)
	}
	keys := p.keySet()
	keys.interval = renewInterval // anybody may send one
	payload, err := keys.VerifySignature(ctx, raw)
	switch {
	case keys.unavailable != nil:
		return provider.Accepted{}, p.unavailable("verifying a token", keys.unavailable)
	case err != nil:
		return provider.Accepted{}, p.refuse("token", errors.New("it is not signed by the provider's keys"))
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return provider.Accepted{}, p.refuse("token", err)
	}
	expiry, ok, err := claims.date("exp")
	if err != nil || !ok {
		return provider.Accepted{}, p.refuse("token", errors.New("it has no expiry"))
	}
	return p.accepted(ctx, claims, expiry)
}

// checkTokenType tells tokens for programs from all others of one issuer by their type
// (RFC 9068, section 4): an ID token says who signed in at a client, and whoever it was
// given to could present it here. Of a workload issuer they are the tokens.
func checkTokenType(raw string, workload bool) error {
	token, err := parseJWS(raw)
	if err != nil {
		return err
	}
	typ, there := token.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]
	text, _ := typ.(string)
	text = strings.TrimPrefix(strings.ToLower(text), "application/")
	switch {
	case text == "at+jwt":
		return checkKeyOfHeader(token)
	case workload && (!there || text == "jwt"):
		return checkKeyOfHeader(token)
	case !there || text == "jwt":
		return errors.New("its type is not at+jwt, so it may be an ID token (RFC 9068, section 4); have the provider issue such access tokens, or write workload if all its tokens are for programs")
	}
	return errors.New("it is a token of another type")
}

// accepted holds the claims of a token that is genuine to what is taken, and makes of
// them who it is of.
func (p *Provider) accepted(ctx context.Context, claims claimSet, expiry time.Time) (provider.Accepted, error) {
	if err := p.checkAccepted(claims, expiry); err != nil {
		return provider.Accepted{}, p.refuse("token", err)
	}
	a := provider.Accepted{ExpiresAt: expiry, Scope: scopeOf(claims)}
	var err error
	if a.JKT, a.X5T, err = confirmationOf(claims); err != nil {
		return provider.Accepted{}, p.refuse("token", err)
	}
	t := &told{idToken: claims, signed: true, accessToken: claims, fromAccessToken: p.config.AccessTokenClaims}
	if a.Claims, err = p.identify(ctx, t); err != nil {
		return provider.Accepted{}, p.refuse("token", err)
	}
	a.Claims.ProviderSession = ""
	if !p.config.Accept.Workload {
		p.doubtUntold(t, &a.Claims)
	}
	return a, nil
}

func (p *Provider) checkAccepted(claims claimSet, expiry time.Time) error {
	if err := p.config.checkIssuerOf(claims); err != nil {
		return err
	}
	now, accept := p.config.Now(), p.config.Accept
	audience, err := claims.audience()
	switch {
	case err != nil:
		return err
	case !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(accept.Audience, a) }):
		return errors.New("it is for another audience")
	case p.config.ClientID != "" && slices.Contains(audience, p.config.ClientID) && !accept.Workload:
		return errors.New("it is for this gateway's own client, as ID tokens are")
	case !now.Before(expiry):
		return errors.New("it has expired")
	case textOf(claims["sub"]) == "":
		return errors.New("its subject is missing or not valid")
	case claims.has("events"):
		return errors.New("it is a token of another type")
	}
	if err := checkUse(claims); err != nil {
		return err
	}
	for _, name := range []string{"iat", "nbf"} {
		if at, _, err := claims.date(name); err != nil || at.After(now.Add(leeway)) {
			return errors.New("its " + name + " is in the future, or no date")
		}
	}
	return nil
}

// accessUses are the words by which issuers call an access token, in lower case: of RFC
// 6749, section 7.1, of RFC 9068, section 2.1, of RFC 8693, section 3, and their own.
var accessUses = []string{"bearer", "dpop", "access", "access_token", "access-token", "at+jwt", "application/at+jwt", "urn:ietf:params:oauth:token-type:access_token"}

// checkUse refuses what the provider itself does not call an access token. Many answer
// about refresh and ID tokens as well, whatever the hint says (RFC 7662, section 2.1), and
// each names them in a member of its own: Hydra and Cognito in token_use, Keycloak in typ.
func checkUse(claims claimSet) error {
	for _, name := range []string{"token_use", "typ", "token_type"} {
		if !claims.has(name) {
			continue
		}
		use, _ := stringOf(claims[name])
		if name == "typ" && strings.EqualFold(use, "JWT") {
			continue // says how it is written
		}
		if !slices.Contains(accessUses, strings.ToLower(use)) {
			return fmt.Errorf("its %s is %.40q, which is no access token", name, use)
		}
	}
	for _, name := range []string{"at_hash", "c_hash"} {
		if claims.has(name) {
			return errors.New("it is an ID token: it has " + name)
		}
	}
	return nil
}

// scopeOf is the scope of a token, in the ways that providers write it.
func scopeOf(claims claimSet) []string {
	for _, name := range []string{"scope", "scp"} {
		if s, ok := stringOf(claims[name]); ok {
			return strings.Fields(s)
		}
		if list := textsOf(claims[name]); len(list) > 0 {
			return list
		}
	}
	return nil
}

// confirmationOf is what a token is bound to (RFC 7800): a key by its thumbprint (RFC
// 9449, section 6), a certificate by its (RFC 8705, section 3.1). Whatever else it may
// be bound to cannot be checked, and so is refused.
func confirmationOf(claims claimSet) (jkt, x5t string, err error) {
	raw, there := claims["cnf"]
	if !there {
		return "", "", nil
	}
	errUnknown := errors.New("it is bound in a way that cannot be checked here (cnf)")
	cnf, err := parseClaims(raw)
	if err != nil || len(cnf) == 0 {
		return "", "", errUnknown
	}
	for name, value := range cnf {
		text, ok := stringOf(value)
		sum, bad := base64.RawURLEncoding.Strict().DecodeString(text)
		if !ok || bad != nil || len(sum) != 32 {
			return "", "", errUnknown
		}
		switch name {
		case "jkt":
			jkt = text
		case "x5t#S256":
			x5t = text
		default:
			return "", "", errUnknown
		}
	}
	return jkt, x5t, nil
}

// doubtUntold marks what rules are about and the token does not say: userinfo may say
// it, which nobody can ask for a program. A rule that denies must not pass over it.
func (p *Provider) doubtUntold(t *told, c *identity.Claims) {
	doubt := func(need identity.Need, claim, name string) {
		if need >= identity.Perhaps && !t.mentions(name) && !c.IsUnread(claim) {
			c.SetUnread(claim, identity.CauseUntold)
		}
	}
	if !t.idToken.has(p.config.GroupsClaim) && len(c.Groups) == 0 {
		doubt(p.needs.Groups, identity.ClaimGroups, p.config.GroupsClaim)
	}
	doubt(p.needs.Email, identity.ClaimEmail, "email")
	for _, name := range p.config.kept() {
		if _, ok := c.Extra[name]; !ok {
			doubt(p.needs.Claims, identity.KeptClaim(name), name)
		}
	}
}

var _ provider.TokenAcceptor = (*Provider)(nil)

// quotedIssuer is the issuer as a claim.
func (p *Provider) quotedIssuer() json.RawMessage { return quoted(p.config.Issuer) }
