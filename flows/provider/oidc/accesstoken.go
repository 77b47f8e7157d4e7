package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// addAccessToken reads the claims that are to be taken from the access token. To a
// client that is any text (RFC 9068, section 6), so only the claims that the
// configuration names are read, and only of a JWT that the provider signed, of this
// user. Where it is none, they are not known. ErrUnavailable where the keys cannot be
// had.
func (p *Provider) addAccessToken(ctx context.Context, t *told, raw string) error {
	t.fromAccessToken = p.config.AccessTokenClaims
	if p.config.GroupsInAccessToken && p.needs.Groups > identity.NotNeeded && !t.isFromAccessToken(p.config.GroupsClaim) {
		if _, at := t.idToken.lookup(p.config.GroupsClaim); at == notFound {
			t.besides = p.config.GroupsClaim
		}
	}
	if len(t.fromAccessToken) == 0 && t.besides == "" {
		return nil
	}
	claims, err := p.verifyAccessToken(ctx, raw, textOf(t.idToken["sub"]))
	if errors.Is(err, errKeysAway) {
		return err
	}
	if err != nil {
		p.config.Logger.WarnContext(ctx, "a provider's access token cannot be read, so the claims that are to be taken from it are not known",
			slog.String("provider", p.config.Name), slog.Any("error", err),
			slog.String("cure", "have the provider issue JWTs that it signs with its published keys, or put the claims into the ID token"))
		return nil
	}
	t.accessToken = claims
	return nil
}

var errKeysAway = errors.New("keys cannot be had")

func (p *Provider) verifyAccessToken(ctx context.Context, raw, subject string) (claimSet, error) {
	if err := checkHeader(raw, "at+jwt"); err != nil {
		return nil, err
	}
	keys := p.keySet()
	payload, err := keys.VerifySignature(ctx, raw)
	if keys.unavailable != nil {
		return nil, fmt.Errorf("%w: %w", errKeysAway, p.unavailable("verifying the access token", keys.unavailable))
	}
	if err != nil {
		return nil, errors.New("it is not signed by the provider's keys")
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	expiry, ok, err := claims.date("exp")
	switch {
	case p.config.checkIssuerOf(claims) != nil:
		return nil, errors.New("it is of another issuer")
	case textOf(claims["sub"]) != subject || subject == "":
		return nil, errors.New("it is of another user")
	case err != nil || ok && !p.config.Now().Before(expiry.Add(leeway)):
		return nil, errors.New("it has expired")
	}
	return claims, nil
}

// findInAccessToken is find for a claim of the access token.
func (t *told) findInAccessToken(name string) (raw []byte, cause identity.Cause) {
	if t.accessToken == nil {
		return nil, identity.CauseShape
	}
	if t.accessToken.delegates(name) {
		return nil, identity.CauseElsewhere
	}
	raw, at := t.accessToken.lookup(name)
	if at == foundBroken {
		return nil, identity.CauseShape
	}
	return raw, ""
}

func (t *told) isFromAccessToken(name string) bool { return slices.Contains(t.fromAccessToken, name) }
