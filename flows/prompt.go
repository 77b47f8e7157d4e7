package flows

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// longestMaxAge, in seconds: no sign-in lasts that long, and what is beyond
// would overflow a duration.
const longestMaxAge = 10 * 365 * 24 * 60 * 60

// parsePrompt reads prompt and max_age (OpenID Connect Core, section 3.1.2.1).
func parsePrompt(query url.Values, a *authRequest) *authorizeFault {
	prompts := strings.Fields(query.Get("prompt"))
	for _, p := range prompts {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return &authorizeFault{code: "invalid_request", description: "prompt has an unknown value"}
		}
	}
	if slices.Contains(prompts, "none") && len(prompts) > 1 {
		return &authorizeFault{code: "invalid_request", description: "prompt none stands alone"}
	}
	a.Prompt = strings.Join(prompts, " ")
	if value := query.Get("max_age"); value != "" {
		age, err := strconv.Atoi(value)
		if err != nil || age < 0 {
			return &authorizeFault{code: "invalid_request", description: "max_age must be a number of seconds"}
		}
		a.MaxAge = min(age, longestMaxAge) + 1 // 0 is unset
	}
	return nil
}

// asks reports whether a prompt was asked for.
func (a *authRequest) asks(prompt string) bool {
	return slices.Contains(strings.Fields(a.Prompt), prompt)
}

// fresh reports whether a sign-in is recent enough for max_age, was not asked to
// be repeated, and is of the person that the request is about.
func (g *Gateway) fresh(a *authRequest, id *identity.Identity) bool {
	if a.asks("login") || a.asks("select_account") || a.Hint != "" && a.Hint != id.Subject {
		return false
	}
	return g.provedEnough(a, &id.Claims)
}

// providerSkew is how far a provider's clock may be from ours.
const providerSkew = time.Minute

// recentEnough reports whether a provider signed somebody in when the request wants:
// since it was made, with prompt=login, and within max_age. That the provider was
// asked to is not enough (OpenID Connect Core, sections 3.1.2.1 and 3.1.3.7). at is
// zero where it does not tell, and neither is kept then.
func (g *Gateway) recentEnough(a *authRequest, at time.Time) bool {
	switch {
	case at.IsZero():
		return a.MaxAge == 0 && !a.asks("login")
	case a.asks("login") && at.Before(time.Unix(a.Begun, 0).Add(-providerSkew)):
		return false
	}
	return a.MaxAge == 0 || stepup.IsWithin(at, g.Now(), a.maxAge()+providerSkew)
}

// parseHint reads id_token_hint: the request is about the person of that ID
// token, however old, and about nobody else (OpenID Connect Core, section
// 3.1.2.1). Clients keep ID tokens for longer than keys are kept: a hint whose
// key is not known holds up nobody who can be asked, and silently it is answered
// with nobody, since whom it means is not known. The prompt is parsed before.
func (g *Gateway) parseHint(at web.Issuer, c *client.Client, hint string, a *authRequest) *authorizeFault {
	if hint == "" {
		return nil
	}
	claims, err := g.hinted(at, hint)
	if (errors.Is(err, token.ErrUnknownKey) || errors.Is(err, token.ErrNoKey)) && looksIssued(at, c, hint) {
		if a.asks("none") {
			return &authorizeFault{code: "login_required", description: "the key of id_token_hint is not known any more"}
		}
		return nil
	}
	if err != nil || claims.Audience[0] != c.ID || claims.Subject == "" {
		return &authorizeFault{code: "invalid_request", description: "id_token_hint is not an ID token that this client was given"}
	}
	a.Hint = claims.Subject
	return nil
}

// looksIssued reports whether a hint that cannot be verified has the form of an ID
// token that this client was given. Nothing of it is believed.
func looksIssued(at web.Issuer, c *client.Client, hint string) bool {
	var claims jwt.RegisteredClaims
	parsed, _, err := jwt.NewParser(jwt.WithStrictDecoding()).ParseUnverified(hint, &claims)
	return err == nil && parsed.Header["typ"] == token.TypeID && claims.Issuer == at.ID() &&
		slices.Equal(claims.Audience, []string{c.ID}) && claims.Subject != ""
}

// hintClaims are what is read of an ID token that comes back as a hint.
type hintClaims struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid"`
}

// hinted reads an ID token of ours that may have expired: it tells who is
// meant, and is no licence.
func (g *Gateway) hinted(at web.Issuer, hint string) (*hintClaims, error) {
	var claims hintClaims
	if g.Keys == nil || len(hint) > accesstoken.MaxLength {
		return nil, token.ErrToken
	}
	if err := g.Keys.VerifyExpired(hint, token.TypeID, at.ID(), &claims); err != nil {
		return nil, err
	}
	if len(claims.Audience) != 1 {
		return nil, token.ErrToken
	}
	return &claims, nil
}
