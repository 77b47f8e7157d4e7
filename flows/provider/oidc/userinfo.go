package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// addUserInfo asks the userinfo endpoint, once, if that is needed. What it refuses
// to say is not known from then on, and rules about it refuse. A failure that may
// pass is ErrUnavailable where what is missing decides who enters or under which
// name.
func (p *Provider) addUserInfo(ctx context.Context, m *metadata, t *told, accessToken string) error {
	if m.UserInfoURL == "" || !outbound.IsToken(accessToken) || !p.needsUserInfo(m, t) {
		return nil
	}
	body, err := p.fetchUserInfo(ctx, m, accessToken)
	if refused := (*outbound.StatusError)(nil); errors.As(err, &refused) && refused.IsRefusal() || errors.Is(err, errNoClaims) {
		t.lost = identity.CauseRefused
		p.config.Logger.WarnContext(ctx, "a provider's userinfo endpoint refused the request", slog.String("provider", p.config.Name),
			slog.Any("error", err), slog.String("cure", cures[t.lost]))
		return nil
	}
	if err != nil {
		if p.config.UserInfo == UserInfoAlways || !t.signed || p.lacksJudged(t) || errors.Is(err, errNotOurs) {
			return err
		}
		t.lost = identity.CauseUnavailable
		p.config.Logger.WarnContext(ctx, "a provider's userinfo endpoint does not answer; no rule needs it, so the sign-in goes on",
			slog.String("provider", p.config.Name), slog.Any("error", err))
		return nil
	}
	info, err := p.parseUserInfo(body)
	if err != nil {
		return p.refuse("userinfo", err)
	}
	// OpenID Connect Core, section 5.3.2.
	if sub := textOf(info["sub"]); sub == "" || sub != textOf(t.idToken["sub"]) {
		return p.refuse("userinfo", errors.New("it is of another user"))
	}
	for _, name := range notUserinfos {
		delete(info, name)
	}
	t.userinfo = info
	return nil
}

// errNoClaims: a page for people, most likely, which asking again does not change.
var errNoClaims = errors.New("answers no JSON")

var errNotOurs = errors.New("the answer is not for us")

// fetchUserInfo fetches the claims, in clear or signed (OpenID Connect Core, section
// 5.3.2).
func (p *Provider) fetchUserInfo(ctx context.Context, m *metadata, accessToken string) ([]byte, error) {
	answer, err := outbound.Get(ctx, p.client, m.UserInfoURL, "application/json, application/jwt;q=0.9", accessToken)
	switch {
	case err != nil:
		return nil, p.unavailable("asking for the user", err)
	case answer.Type == "application/jwt":
		return p.verifyUserInfo(ctx, string(answer.Body))
	case !json.Valid(answer.Body):
		return nil, p.unavailable("asking for the user", fmt.Errorf("%s %w", m.UserInfoURL, errNoClaims))
	}
	return answer.Body, nil
}

// verifyUserInfo verifies a signed answer: by the provider's keys, of its issuer and
// for us (OpenID Connect Core, section 5.3.4).
func (p *Provider) verifyUserInfo(ctx context.Context, raw string) ([]byte, error) {
	if err := checkHeader(raw, "userinfo+jwt"); err != nil {
		return nil, p.refuse("userinfo", fmt.Errorf("%w: %w", errNotOurs, err))
	}
	keys := p.keySet()
	payload, err := keys.VerifySignature(ctx, raw)
	if err != nil {
		return nil, p.verificationFailed("userinfo", keys, fmt.Errorf("%w: %w", errNotOurs, err))
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return nil, p.refuse("userinfo", fmt.Errorf("%w: %w", errNotOurs, err))
	}
	if claims.has("iss") && p.config.checkIssuerOf(claims) != nil {
		return nil, p.refuse("userinfo", fmt.Errorf("%w: it is of another issuer", errNotOurs))
	}
	if claims.has("aud") {
		if audience, err := claims.audience(); err != nil || !slices.Contains(audience, p.config.ClientID) {
			return nil, p.refuse("userinfo", fmt.Errorf("%w: it is meant for another client", errNotOurs))
		}
	}
	if expiry, ok, err := claims.date("exp"); err != nil || ok && !p.config.Now().Before(expiry.Add(leeway)) {
		return nil, p.refuse("userinfo", fmt.Errorf("%w: it has expired", errNotOurs))
	}
	return payload, nil
}
