package oidc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// Refresh obtains a fresh token. Without scopes, those of the grant are kept;
// an empty Token.Scope means that they have not changed.
func (p *Provider) Refresh(ctx context.Context, refreshToken string, scopes []string) (provider.Token, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return provider.Token{}, p.unasked(err)
	}
	token, _, err := p.refresh(ctx, m, refreshToken, scopes, "")
	return token, err
}

// Narrow obtains an access token with fewer scopes than the grant has, or for a
// resource.
func (p *Provider) Narrow(ctx context.Context, refreshToken string, scopes []string, resource string) (provider.Token, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return provider.Token{}, p.unasked(err)
	}
	token, _, err := p.refresh(ctx, m, refreshToken, scopes, resource)
	return token, err
}

func (p *Provider) refresh(ctx context.Context, m *metadata, refreshToken string, scopes []string, resource string) (provider.Token, *oauth2.Token, error) {
	if refreshToken == "" {
		return provider.Token{}, nil, fmt.Errorf("refreshing at provider %s: %w: there is no refresh token", p.config.Name, provider.ErrGrant)
	}
	// The library's one token request with parameters of the caller's choice.
	auth, err := p.authenticate(m)
	if err != nil {
		return provider.Token{}, nil, p.unasked(err)
	}
	base := auth.oauth2Config(p.config.ClientID, m)
	auth.form.Set("grant_type", "refresh_token")
	auth.form.Set("refresh_token", refreshToken)
	if resource != "" {
		// By RFC 8707, and by the name that INDIGO IAM and its kin have for it; who does
		// not know a parameter ignores it (RFC 6749, section 3.2).
		auth.form.Set("resource", resource)
		auth.form.Set("audience", resource)
	}
	request := clientcredentials.Config{
		ClientID: base.ClientID, ClientSecret: base.ClientSecret, Scopes: scopes,
		TokenURL: m.TokenURL, AuthStyle: base.Endpoint.AuthStyle, EndpointParams: auth.form,
	}
	answer, err := request.Token(p.withClient(ctx))
	if err != nil {
		if len(scopes) > 0 || resource != "" {
			if own := p.narrowRefused(err); own != nil {
				return provider.Token{}, nil, own
			}
		}
		return provider.Token{}, nil, p.grantFailed("refreshing", err, append(auth.secrets(), refreshToken)...)
	}
	token, err := p.token(answer, scopes)
	if err != nil {
		return p.rotated(answer, refreshToken), nil, p.refuse("token", err)
	}
	return token, answer, nil
}

// Recheck refreshes, and asks who the user is now.
func (p *Provider) Recheck(ctx context.Context, refreshToken string, was identity.Claims) (provider.Result, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return provider.Result{}, p.unasked(err)
	}
	token, answer, err := p.refresh(ctx, m, refreshToken, nil, "")
	if err != nil {
		if token.RefreshToken != "" {
			return provider.Result{Token: &token}, err
		}
		return provider.Result{}, err
	}
	result := provider.Result{Claims: was, Token: &token}
	idToken, _ := answer.Extra("id_token").(string)
	if p.config.Plain {
		idToken = "" // there are no keys to verify it with
	}
	said := &told{idToken: claimSet{"sub": quoted(p.config.subjectOf(was.ID))}, id: was.ID, signed: idToken != ""}
	if said.signed {
		said.idToken, err = p.verifyIDToken(ctx, m, idToken, expected{maxAge: -1, accessToken: token.AccessToken})
		if err != nil {
			return result, err
		}
		result.IDToken, said.id = idToken, ""
	}
	// OpenID Connect Core, section 12.2: the same user, or none.
	if p.identityOf(said) != was.ID || was.Issuer != p.Issuer() {
		return result, fmt.Errorf("refreshing at provider %s: %w: it answers for another user", p.config.Name, provider.ErrGone)
	}
	if err := p.addAccessToken(ctx, said, token.AccessToken); err != nil {
		return result, err
	}
	if !said.signed && said.accessToken == nil && (m.UserInfoURL == "" || p.config.UserInfo == UserInfoNever) {
		return result, nil // it says nothing
	}
	if err := p.addUserInfo(ctx, m, said, token.AccessToken); err != nil {
		return result, err
	}
	if err := p.addMembership(ctx, m, said, token.AccessToken); err != nil {
		return result, err
	}
	p.addOverage(ctx, said, token.AccessToken)
	now, err := p.identifyAgain(ctx, said, was)
	if err != nil {
		// What is wrong is not the answer but the user, who could not sign in
		// like that.
		return result, fmt.Errorf("refreshing at provider %s: %w: %w", p.config.Name, provider.ErrGone, err)
	}
	result.Claims = renewed(was, now, said.idToken.has("auth_time"))
	return result, nil
}

// unasked is a failure before the refresh token was sent.
func (p *Provider) unasked(err error) error {
	return fmt.Errorf("%w (%w)", p.unavailable("refreshing", err), provider.ErrNotSpent)
}

// renewed keeps what says how the user signed in: nobody has signed in anew.
func renewed(was, now identity.Claims, signInToldAgain bool) identity.Claims {
	if !signInToldAgain {
		now.AuthTime = was.AuthTime
	}
	if now.ACR == "" {
		now.ACR = was.ACR
	}
	if len(now.AMR) == 0 {
		now.AMR = was.AMR
	}
	if now.ProviderSession == "" {
		now.ProviderSession = was.ProviderSession
	}
	return now
}

// Revoke tells the provider that a token is no longer wanted (RFC 7009). At a
// provider without a revocation endpoint there is nothing to do. ErrUnavailable may
// be tried again, ErrResponse is final.
func (p *Provider) Revoke(ctx context.Context, token, hint string) error {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return p.unavailable("revoking", err)
	}
	if m.RevocationURL == "" || token == "" {
		return nil
	}
	form := url.Values{"token": {token}}
	if hint != "" {
		form.Set("token_type_hint", hint)
	}
	req, err := p.formRequest(ctx, m, m.RevocationURL, form)
	if err != nil {
		return p.unavailable("revoking", err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return p.unavailable("revoking", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	switch s := resp.StatusCode; {
	case s == http.StatusOK || s == http.StatusNoContent:
		return nil
	case s >= 500 || s == http.StatusTooManyRequests || s == http.StatusRequestTimeout:
		return p.unavailable("revoking", fmt.Errorf("it answers %d", s))
	default:
		return p.refuse("revocation", fmt.Errorf("it answers %d", s))
	}
}
