package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// leeway is how far the provider's clock may be from ours.
const leeway = time.Minute

// expected is what an ID token must hold beside what all must.
type expected struct {
	nonce       string        // "" for a refreshed token
	maxAge      time.Duration // < 0 for none
	accessToken string
	signedIn    bool // just now, though the token may not say so
}

// verifyIDToken checks an ID token (OpenID Connect Core, section 3.1.3.7) and
// returns its claims. ErrResponse, or ErrUnavailable when there are no keys to
// check it with.
func (p *Provider) verifyIDToken(ctx context.Context, m *metadata, raw string, want expected) (claimSet, error) {
	if err := checkHeader(raw, "id_token+jwt"); err != nil {
		return nil, p.refuse("ID token", err)
	}
	keys := p.keySet()
	token, err := p.verifier(m, keys).Verify(ctx, raw)
	if err != nil {
		return nil, p.verificationFailed("ID token", keys, err)
	}
	claims, err := payloadOf(token)
	if err != nil {
		return nil, p.refuse("ID token", err)
	}
	if err := claims.checkCommon(&p.config, p.config.Now()); err != nil {
		return nil, p.refuse("ID token", err)
	}
	if err := claims.checkSignIn(p.config.ClientID, want, p.config.Now()); err != nil {
		return nil, p.refuse("ID token", err)
	}
	if want.accessToken != "" && token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(want.accessToken); err != nil {
			return nil, p.refuse("ID token", errors.New("its at_hash is of another access token"))
		}
	}
	return claims, nil
}

func (p *Provider) verifier(m *metadata, keys *keySet) *oidc.IDTokenVerifier {
	return oidc.NewVerifier(p.config.Issuer, keys, &oidc.Config{
		SkipIssuerCheck:      true, // checkCommon holds it to the tenant as well
		ClientID:             p.config.ClientID,
		SupportedSigningAlgs: m.SigningAlgs,
		Now:                  func() time.Time { return p.config.Now().Add(-leeway) },
	})
}

func payloadOf(token interface{ Claims(v any) error }) (claimSet, error) {
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, errors.New("its claims are not a JSON object")
	}
	return parseClaims(payload)
}

// checkCommon holds for ID tokens and logout tokens. It reads the claims
// again, by their exact names and types, where the library is lenient.
func (s claimSet) checkCommon(c *Config, now time.Time) error {
	if err := c.checkIssuerOf(s); err != nil {
		return err
	}
	audience, err := s.audience()
	if err != nil {
		return err
	}
	if !slices.Contains(audience, c.ClientID) {
		return errors.New("it is meant for another client")
	}
	expiry, ok, err := s.date("exp")
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("it has no expiry")
	case !now.Before(expiry.Add(leeway)):
		return errors.New("it has expired")
	}
	issued, ok, err := s.date("iat")
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("it does not say when it was issued")
	case issued.After(now.Add(leeway)):
		return errors.New("it was issued in the future")
	}
	valid, _, err := s.date("nbf")
	switch {
	case err != nil:
		return err
	case valid.After(now.Add(leeway)):
		return errors.New("it is not valid yet")
	}
	return nil
}

func (s claimSet) checkSignIn(clientID string, want expected, now time.Time) error {
	if textOf(s["sub"]) == "" {
		return errors.New("its subject is missing or not valid")
	}
	if err := s.checkAuthorizedParty(clientID); err != nil {
		return err
	}
	if want.nonce != "" && subtle.ConstantTimeCompare([]byte(textOf(s["nonce"])), []byte(want.nonce)) != 1 {
		return errors.New("its nonce is of another sign-in")
	}
	at, ok, err := s.date("auth_time")
	switch {
	case err != nil:
		return err
	case !ok && want.signedIn:
		return nil
	case want.maxAge >= 0 && !ok:
		return fmt.Errorf("it does not say when the user signed in, as was asked: %w", provider.ErrReauthentication)
	case ok && at.After(now.Add(leeway)):
		return errors.New("the user signed in in the future")
	case want.maxAge >= 0 && now.Sub(at) > want.maxAge+leeway:
		return fmt.Errorf("the user signed in longer ago than was asked: %w", provider.ErrReauthentication)
	}
	return nil
}

// checkAuthorizedParty: a token with several audiences says for whom it was made,
// and it must be us.
func (s claimSet) checkAuthorizedParty(clientID string) error {
	if s.has("azp") {
		if textOf(s["azp"]) != clientID {
			return errors.New("it was made for another client")
		}
		return nil
	}
	if audience, err := s.audience(); err != nil || len(audience) != 1 {
		return errors.New("it has several audiences and no authorized party")
	}
	return nil
}

// refuse makes an ErrResponse of a failed check.
func (p *Provider) refuse(what string, err error) error {
	return fmt.Errorf("%s of provider %s: %w: %w", what, p.config.Name, provider.ErrResponse, err)
}

// verificationFailed tells keys that cannot be had from a token that is bad.
func (p *Provider) verificationFailed(what string, keys *keySet, err error) error {
	if keys.unavailable != nil {
		return p.unavailable("verifying the "+what, keys.unavailable)
	}
	if expired := (*oidc.TokenExpiredError)(nil); errors.As(err, &expired) {
		return p.refuse(what, errors.New("it has expired"))
	}
	return p.refuse(what, errors.New(outbound.Printable(err.Error())))
}
