package flows

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// assertionLifetime is how long an assertion is good. One is used for half of that, so
// that what the application receives is never about to expire.
const assertionLifetime = time.Minute

// assertionClaims say who a request is of. An assertion is not an access token of ours
// (their type is another), and its audience is no client.
type assertionClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	IssuedAt      int64    `json:"iat"`
	ExpiresAt     int64    `json:"exp"`
	Username      string   `json:"preferred_username"`
	Provider      string   `json:"provider"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified,omitempty"`
	Name          string   `json:"name,omitempty"`
	Groups        []string `json:"groups"`
}

// Assertion is a signed statement of who a request to a site is of, for the
// application behind it: a JWT for the site's origin alone, by the keys that the
// issuer publishes, good for a minute. kept names the further claims that it holds.
// One that was made before is used again for half a minute and costs nothing.
//
// Error: [token.ErrNoKey] while the keys cannot be had.
func (g *Gateway) Assertion(id *identity.Identity, host string, secure bool, kept []string) (string, error) {
	now := g.Now()
	if made := id.Judgements.Assertion(host, secure, now); made != "" {
		return made, nil
	}
	if g.Keys == nil {
		return "", token.ErrNoKey
	}
	at, origin := g.guard.IssuerAt(host, secure)
	claims := assertionClaims{
		Issuer: at.ID(), Subject: id.Subject, Audience: origin, IssuedAt: now.Unix(), ExpiresAt: now.Add(assertionLifetime).Unix(),
		Username: id.User, Provider: id.Provider, Name: id.Name, Groups: append([]string{}, id.Groups...),
	}
	if id.EmailVerified {
		claims.Email, claims.EmailVerified = id.Email, true
	}
	made, err := g.Keys.Sign(token.TypeAssertion, token.ES256, with{claims, assertedClaims(id, kept)})
	if err != nil {
		return "", err
	}
	id.Judgements.KeepAssertion(identity.Assertion{Host: host, Secure: secure, Token: made, Renew: now.Add(assertionLifetime / 2)})
	return made, nil
}

// assertedClaims are further claims that are known.
func assertedClaims(id *identity.Identity, names []string) map[string]any {
	kept := make(map[string]any, len(names))
	for _, name := range names {
		if value, ok := id.Extra[name]; ok && !id.IsUnread(identity.KeptClaim(name)) {
			kept[name] = value
		}
	}
	return kept
}
