package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// token makes ours of the provider's answer. Its expiry counts from now by
// our clock. An answer without scope means the scopes that were asked for (RFC
// 6749, section 5.1).
func (p *Provider) token(t *oauth2.Token, asked []string) (provider.Token, error) {
	// What the provider gave, and not the old one, which the library repeats.
	refreshToken, _ := t.Extra("refresh_token").(string)
	if !outbound.IsToken(t.AccessToken) || refreshToken != "" && !outbound.IsToken(refreshToken) {
		return provider.Token{}, errors.New("it has characters that no token has, or is too long")
	}
	if !outbound.IsBearer(t.TokenType) {
		return provider.Token{}, fmt.Errorf("its token_type is %q, not Bearer", outbound.Printable(t.TokenType))
	}
	scope, _ := t.Extra("scope").(string)
	if scope == "" {
		scope = strings.Join(asked, " ")
	}
	now := p.config.Now()
	out := provider.Token{
		AccessToken: t.AccessToken, RefreshToken: refreshToken, TokenType: "Bearer", Scope: printableScope(scope),
	}
	if seconds := outbound.Seconds(t.Extra("expires_in")); seconds > 0 {
		out.ExpiresAt = now.Add(time.Duration(seconds) * time.Second)
	}
	if out.RefreshToken != "" {
		out.RefreshExpiresAt = refreshExpiry(t, now)
	}
	return out, nil
}

// refreshExpiry is not standard, but common: Keycloak's and Google's spelling. 0 is never.
func refreshExpiry(t *oauth2.Token, now time.Time) (at time.Time) {
	for _, name := range []string{"refresh_expires_in", "refresh_token_expires_in"} {
		if seconds := outbound.Seconds(t.Extra(name)); seconds > 0 {
			at = now.Add(time.Duration(seconds) * time.Second)
		}
	}
	return at
}

// rotated is the refresh token of an answer whose access token cannot be used: the one
// that was sent may have been spent for it (RFC 9700, section 4.14.2).
func (p *Provider) rotated(t *oauth2.Token, spent string) provider.Token {
	refreshToken, _ := t.Extra("refresh_token").(string)
	if refreshToken == spent || !outbound.IsToken(refreshToken) {
		return provider.Token{}
	}
	return provider.Token{RefreshToken: refreshToken, RefreshExpiresAt: refreshExpiry(t, p.config.Now())}
}

func printableScope(s string) string {
	if len(s) > maxExtra || !outbound.IsToken(s) {
		return ""
	}
	return s
}

// finalErrors are the answers that no retry mends: the user must sign in
// again.
var finalErrors = []string{
	"invalid_grant", "access_denied", "interaction_required", "login_required", "consent_required",
}

// narrowRefused is ErrTarget if a request for less than the grant failed by a final
// answer other than invalid_grant: it is about what was asked for, and the grant may be
// as good as it was. Else nil.
func (p *Provider) narrowRefused(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.ErrorCode == "invalid_grant" || !slices.Contains(finalErrors, refused.ErrorCode) {
		return nil
	}
	err = fmt.Errorf("%w: %w: it answers %q", provider.ErrRefused, provider.ErrTarget, refused.ErrorCode)
	if outbound.IsUnspent(refused.Response.StatusCode) {
		err = fmt.Errorf("%w (%w)", err, provider.ErrNotSpent)
	}
	return p.unavailable("refreshing", err)
}

// clientCures are what to do about answers that concern the client, and no grant of it.
var clientCures = map[string]string{
	"invalid_client":         "check client_id, client_secret and client_auth",
	"unauthorized_client":    "allow the client this grant at the provider",
	"unsupported_grant_type": "allow the client this grant at the provider",
	"redirect_uri_mismatch":  "register the redirect URI at the provider; doctor prints it",
	"invalid_scope":          "check scopes, or allow them to the client at the provider",
}

func (p *Provider) clientCure(refused *oauth2.RetrieveError) string {
	if refused.ErrorCode == "" && refused.Response.StatusCode == http.StatusUnauthorized {
		return p.cureOf("invalid_client")
	}
	return p.cureOf(refused.ErrorCode)
}

// cureOf is what to do about an error code, or "".
func (p *Provider) cureOf(code string) string {
	if code == "invalid_client" && p.config.ClientCure != "" {
		return p.config.ClientCure
	}
	return clientCures[code]
}

// grantFailed makes ErrGrant or ErrUnavailable of a failed token request, which
// is ErrNotSpent as well where the provider cannot have acted on it. What the
// provider answered is reduced to its error code and description, without any of
// the secrets that were sent: the body may hold anything.
func (p *Provider) grantFailed(doing string, err error, sent ...string) error {
	var refused *oauth2.RetrieveError
	switch {
	case !errors.As(err, &refused):
		if _, ok := errors.AsType[*json.SyntaxError](err); ok {
			err = errors.New("the answer is no JSON")
		}
		return p.unavailable(doing, err)
	case slices.Contains(finalErrors, refused.ErrorCode):
		return fmt.Errorf("%s at provider %s: %w (%s)", doing, p.config.Name, provider.ErrGrant, refused.ErrorCode)
	case refused.ErrorCode != "":
		sent = append(sent, p.config.ClientSecret)
		err = fmt.Errorf("it answers %q (%s)", outbound.Without(refused.ErrorCode, sent...), outbound.Without(refused.ErrorDescription, sent...))
	default:
		err = fmt.Errorf("it answers %d", refused.Response.StatusCode)
	}
	if cure := p.clientCure(refused); cure != "" {
		err = fmt.Errorf("%w: %w; %s", provider.ErrMisconfigured, err, cure)
	}
	if outbound.IsUnspent(refused.Response.StatusCode) {
		err = fmt.Errorf("%w (%w)", err, provider.ErrNotSpent)
	}
	if refused.ErrorCode == "invalid_target" {
		err = fmt.Errorf("%w: %w", provider.ErrTarget, err)
	}
	if outbound.IsRefusal(refused.Response.StatusCode, refused.ErrorCode) {
		err = fmt.Errorf("%w: %w", provider.ErrRefused, err)
	}
	return p.unavailable(doing, err)
}
