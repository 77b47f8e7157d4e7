package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Refresh obtains a fresh token. GitHub Apps have refresh tokens, OAuth Apps
// have none.
func (p *Provider) Refresh(ctx context.Context, refreshToken string, scopes []string) (provider.Token, error) {
	if refreshToken == "" {
		return provider.Token{}, fmt.Errorf("refreshing at provider %s: %w: there is no refresh token", p.config.Name, provider.ErrGrant)
	}
	base := p.oauth2Config()
	request := clientcredentials.Config{
		ClientID: base.ClientID, ClientSecret: base.ClientSecret, Scopes: scopes,
		TokenURL: base.Endpoint.TokenURL, AuthStyle: base.Endpoint.AuthStyle,
		EndpointParams: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}},
	}
	answer, err := request.Token(p.withClient(ctx))
	if err != nil {
		return provider.Token{}, p.grantFailed("refreshing", err)
	}
	token, err := p.token(answer)
	if err != nil {
		return rotated(answer, refreshToken), p.refuse(err)
	}
	return token, nil
}

// rotated is the refresh token of an answer whose access token cannot be used: the one
// that was sent is spent.
func rotated(t *oauth2.Token, spent string) provider.Token {
	refreshToken, _ := t.Extra("refresh_token").(string)
	if refreshToken == spent || !outbound.IsToken(refreshToken) {
		return provider.Token{}
	}
	return provider.Token{RefreshToken: refreshToken}
}

// Revoke deletes a token of the app. GitHub has an interface of its own for
// that, and none for a refresh token, which ends with its access token.
func (p *Provider) Revoke(ctx context.Context, token, hint string) error {
	if token == "" || hint == "refresh_token" {
		return nil
	}
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		return p.refuse(errors.New("the token cannot be sent"))
	}
	endpoint := p.config.APIURL + "/applications/" + url.PathEscape(p.config.ClientID) + "/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, endpoint, bytes.NewReader(body))
	if err != nil {
		return p.unavailable("revoking", err)
	}
	req.SetBasicAuth(p.config.ClientID, p.config.ClientSecret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return p.unavailable("revoking", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch s := resp.StatusCode; {
	case s == http.StatusNoContent, s == http.StatusOK, s == http.StatusNotFound, s == http.StatusUnprocessableEntity:
		return nil // gone, or never was
	case s >= 500 || s == http.StatusTooManyRequests:
		return p.unavailable("revoking", fmt.Errorf("it answers %d", s))
	default:
		return p.refuse(fmt.Errorf("revoking: it answers %d", s))
	}
}

func (p *Provider) token(t *oauth2.Token) (provider.Token, error) {
	refreshToken, _ := t.Extra("refresh_token").(string)
	if !outbound.IsToken(t.AccessToken) || refreshToken != "" && !outbound.IsToken(refreshToken) {
		return provider.Token{}, errors.New("its token has characters that no token has, or is too long")
	}
	if !outbound.IsBearer(t.TokenType) {
		return provider.Token{}, fmt.Errorf("its token_type is %q, not Bearer", outbound.Printable(t.TokenType))
	}
	scope, _ := t.Extra("scope").(string)
	out := provider.Token{
		AccessToken: t.AccessToken, RefreshToken: refreshToken, TokenType: "Bearer", Scope: spaced(outbound.Printable(scope)),
	}
	now := p.config.Now()
	if n := outbound.Seconds(t.Extra("expires_in")); n > 0 {
		out.ExpiresAt = now.Add(time.Duration(n) * time.Second)
	}
	if n := outbound.Seconds(t.Extra("refresh_token_expires_in")); n > 0 && refreshToken != "" {
		out.RefreshExpiresAt = now.Add(time.Duration(n) * time.Second)
	}
	return out, nil
}

// spaced is a list of scopes as RFC 6749, section 3.3, writes it. GitHub separates
// those of a token by commas:
// https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
func spaced(scope string) string {
	return strings.Join(strings.FieldsFunc(scope, func(r rune) bool { return r == ',' || r == ' ' }), " ")
}

// finalErrors are GitHub's names for a code or refresh token that is refused
// for good.
var finalErrors = []string{"bad_verification_code", "bad_refresh_token", "invalid_grant", "access_denied", "unverified_user_email"}

// clientCures are what to do about answers that concern the app, and no grant of it.
var clientCures = map[string]string{
	"incorrect_client_credentials": "check client_id and client_secret",
	"redirect_uri_mismatch":        "set the app's callback URL at GitHub; doctor prints it",
	"application_suspended":        "the app was suspended at GitHub: ask its owner",
}

// grantFailed makes ErrGrant or ErrUnavailable of a failed token request, which
// is ErrNotSpent as well where the provider cannot have acted on it. What
// GitHub answered is reduced to its error code.
func (p *Provider) grantFailed(doing string, err error) error {
	var refused *oauth2.RetrieveError
	switch {
	case !errors.As(err, &refused):
		return p.unavailable(doing, err)
	case slices.Contains(finalErrors, refused.ErrorCode):
		return fmt.Errorf("%s at provider %s: %w (%s)", doing, p.config.Name, provider.ErrGrant, refused.ErrorCode)
	case refused.ErrorCode != "":
		err = fmt.Errorf("it answers %q", outbound.Printable(refused.ErrorCode))
		if cure, ok := clientCures[refused.ErrorCode]; ok {
			err = fmt.Errorf("%w: %w; %s", provider.ErrMisconfigured, err, cure)
		}
	default:
		err = fmt.Errorf("it answers %d", refused.Response.StatusCode)
	}
	if outbound.IsUnspent(refused.Response.StatusCode) {
		err = fmt.Errorf("%w (%w)", err, provider.ErrNotSpent)
	}
	if outbound.IsRefusal(refused.Response.StatusCode, refused.ErrorCode) {
		err = fmt.Errorf("%w: %w", provider.ErrRefused, err)
	}
	return p.unavailable(doing, err)
}

func (p *Provider) unavailable(doing string, err error) error {
	if outbound.IsUntrusted(err) {
		err = fmt.Errorf("%w: %w; if it comes from your own authority, name that authority in tls_trust_pool", provider.ErrMisconfigured, err)
	}
	if errors.Is(err, provider.ErrUnavailable) {
		return fmt.Errorf("%s at provider %s: %w", doing, p.config.Name, err)
	}
	return fmt.Errorf("%s at provider %s: %w: %w", doing, p.config.Name, provider.ErrUnavailable, err)
}
