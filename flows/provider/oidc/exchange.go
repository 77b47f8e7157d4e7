package oidc

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Exchange redeems the code and verifies who signed in. The code is sent once.
func (p *Provider) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	if c.Code == "" || c.Nonce == "" || c.Verifier == "" {
		return provider.Result{}, p.refuse("answer", errors.New("code, nonce or verifier is missing"))
	}
	m, err := p.metadata.get(ctx)
	if err != nil {
		return provider.Result{}, p.unavailable("signing in", err)
	}
	if err := checkResponseIssuer(m, c.Issuer); err != nil {
		return provider.Result{}, p.refuse("answer", err)
	}
	auth, err := p.authenticate(m)
	if err != nil {
		return provider.Result{}, p.unavailable("redeeming a code", err)
	}
	config := auth.oauth2Config(p.config.ClientID, m)
	config.RedirectURL = c.RedirectURI
	answer, err := config.Exchange(p.withClient(ctx), c.Code, append(auth.options(), oauth2.VerifierOption(c.Verifier))...)
	if err != nil {
		return provider.Result{}, p.grantFailed("redeeming a code", err, append(auth.secrets(), c.Code, c.Verifier)...)
	}
	token, err := p.token(answer, joinScopes(p.scopes(m), c.Scopes))
	if err != nil {
		return provider.Result{}, p.refuse("token", err)
	}
	if p.config.Plain {
		return p.signInPlain(ctx, m, token)
	}
	idToken, _ := answer.Extra("id_token").(string)
	signedIn := p.showsPrompt(m) && cmp.Or(c.Prompt, p.config.Prompt) == "login"
	claims, err := p.verifyIDToken(ctx, m, idToken, expected{nonce: c.Nonce, maxAge: c.MaxAge, accessToken: token.AccessToken, signedIn: signedIn})
	if err != nil {
		return provider.Result{}, err
	}
	said := &told{idToken: claims, signed: true}
	if err := p.addAccessToken(ctx, said, token.AccessToken); err != nil {
		return provider.Result{}, err
	}
	if err := p.addUserInfo(ctx, m, said, token.AccessToken); err != nil {
		return provider.Result{}, err
	}
	p.addOverage(ctx, said, token.AccessToken)
	who, err := p.identify(ctx, said)
	if err != nil {
		return provider.Result{}, p.refuse("ID token", err)
	}
	if who.Name == "" && p.config.UserParameter {
		who.Name = nameIn(c.User)
	}
	if who.AuthTime.IsZero() && signedIn {
		who.AuthTime = p.config.Now()
	}
	return provider.Result{Claims: who, Token: &token, IDToken: idToken}, nil
}

// showsPrompt reports whether a prompt of ours has reached the provider as it was
// sent: by a request that was pushed, not by way of the browser, where the person
// could take it out; or as far as the operator vouches for that.
func (p *Provider) showsPrompt(m *metadata) bool { return p.config.TrustPrompt || p.pushes(m) }

// checkResponseIssuer is the defence against mix-up (RFC 9207, section 2.4): a
// provider that announces the parameter must send it, and whoever sends it
// must send the right one.
func checkResponseIssuer(m *metadata, iss string) error {
	switch {
	case iss == "" && m.SendsIssuer:
		return errors.New("the parameter iss is missing")
	case iss != "" && strings.Contains(m.Issuer, TenantPlaceholder):
		before, after, _ := strings.Cut(m.Issuer, TenantPlaceholder) // the ID token tells which tenant
		if !strings.HasPrefix(iss, before) || !strings.HasSuffix(iss, after) {
			return errors.New("the parameter iss names another provider")
		}
	case iss != "" && subtle.ConstantTimeCompare([]byte(iss), []byte(m.Issuer)) != 1:
		return errors.New("the parameter iss names another provider")
	}
	return nil
}

func (p *Provider) withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, outbound.TokenClient(p.client))
}
