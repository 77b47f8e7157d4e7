package main

import (
	"context"
	"net/url"
)

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
	// providerScope begins the scope of a provider's tokens.
	providerScope = "provider:"
)

// providerToken exchanges the issuer's access token for the person's own of a
// provider (RFC 8693). It is not stored: the issuer has it at hand.
func (g *gate) providerToken(ctx context.Context, raw, name string) (access, error) {
	c, err := g.choose(ctx, raw)
	if err != nil {
		return access{}, err
	}
	own, err := g.accessToken(ctx, chosen{c.login, ""})
	if err != nil {
		return access{}, err
	}
	s, err := g.server(ctx, c.login.Issuer)
	if err != nil {
		return access{}, err
	}
	form := url.Values{
		"grant_type": {grantExchange}, "client_id": {c.login.Client}, "audience": {name},
		"subject_token": {own.Token}, "subject_token_type": {typeAccess}, "requested_token_type": {typeAccess},
	}
	r, err := g.http.post(ctx, s.Token, form)
	if err != nil {
		return access{}, err
	}
	var t tokens
	if err := answer(c.login.Issuer, r, form, &t); err != nil {
		return access{}, explainExchange(err, c.login, name)
	}
	return access{Token: t.Access}, t.check(c.login.Issuer)
}

// explainExchange says what to do about a refused exchange.
func explainExchange(err error, l *login, name string) error {
	switch errorCode(err) {
	case "invalid_scope":
		return fail(exitSignIn, "gate login --provider "+name+" "+l.address(), "this login was not allowed your access at %s", name)
	case "interaction_required":
		return fail(exitSignIn, "Open "+l.address()+" in a browser and sign in by "+name+".", "%s has no access at %s in your name", l.Issuer, name)
	case "invalid_target", "unauthorized_client", "unsupported_grant_type":
		return noProviderTokens(l.Issuer, l.Client, name)
	}
	return explainClient(err, l.Client, nil)
}

func noProviderTokens(issuer, client, name string) error {
	option := "gate_client { may_exchange " + name + " }"
	if client != defaultClient {
		option = "in the block of client " + client + ": may_exchange " + name
	}
	return fail(exitRefused, "Its Caddyfile must allow it: "+option+"; and the provider must have store_tokens.",
		"%s gives out no tokens of %s", issuer, name)
}
