package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// untoldExpiry is when a token ends of which the provider does not say so. It is asked
// again long before.
const untoldExpiry = time.Hour

// Introspects reports whether the provider is asked about tokens that are no JWT.
func (p *Provider) Introspects() bool { return p.config.Accept != nil && p.config.Accept.Introspect }

// Introspect asks the provider about a token (RFC 7662). What it says of the audience is
// held to the configured one, and a token without is refused. ErrResponse,
// ErrUnavailable.
func (p *Provider) Introspect(ctx context.Context, raw string) (provider.Accepted, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return provider.Accepted{}, p.unavailable("introspecting a token", err)
	}
	if m.IntrospectionURL == "" {
		return provider.Accepted{}, p.unavailable("introspecting a token",
			fmt.Errorf("%w: it has no introspection_endpoint; name it: endpoints { introspection … }", provider.ErrMisconfigured))
	}
	claims, err := p.introspect(ctx, m, raw)
	if err != nil {
		return provider.Accepted{}, err
	}
	if string(claims["active"]) != "true" {
		return provider.Accepted{}, p.refuse("token", errors.New("the provider calls it inactive"))
	}
	if !claims.has("iss") {
		claims["iss"] = p.quotedIssuer()
	}
	expiry, ok, err := claims.date("exp")
	switch {
	case err != nil:
		return provider.Accepted{}, p.refuse("token", err)
	case !ok:
		expiry = p.config.Now().Add(untoldExpiry)
	}
	return p.accepted(ctx, claims, expiry)
}

func (p *Provider) introspect(ctx context.Context, m *metadata, raw string) (claimSet, error) {
	req, err := p.formRequest(ctx, m, m.IntrospectionURL, url.Values{"token": {raw}, "token_type_hint": {"access_token"}})
	if err != nil {
		return nil, p.unavailable("introspecting a token", err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, p.unavailable("introspecting a token", errors.New(outbound.Without(err.Error(), raw)))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("it answers %d", resp.StatusCode)
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
			err = fmt.Errorf("%w: %w; check client_id, client_secret and client_auth", provider.ErrMisconfigured, err)
		}
		return nil, p.unavailable("introspecting a token", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, p.unavailable("introspecting a token", err)
	}
	claims, err := parseClaims(body)
	if err != nil {
		return nil, p.unavailable("introspecting a token", errors.New("the answer is no JSON object, or has a member twice"))
	}
	return claims, nil
}
