package oidc

import (
	"context"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// ServiceToken obtains a token for ourselves (RFC 6749, section 4.4).
func (p *Provider) ServiceToken(ctx context.Context, scopes []string) (provider.Token, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return provider.Token{}, p.unavailable("asking for a service token", err)
	}
	auth, err := p.authenticate(m)
	if err != nil {
		return provider.Token{}, p.unavailable("asking for a service token", err)
	}
	base := auth.oauth2Config(p.config.ClientID, m)
	request := clientcredentials.Config{
		ClientID: base.ClientID, ClientSecret: base.ClientSecret, Scopes: scopes,
		TokenURL: m.TokenURL, AuthStyle: base.Endpoint.AuthStyle, EndpointParams: auth.form,
	}
	answer, err := request.Token(p.withClient(ctx))
	if err != nil {
		return provider.Token{}, p.grantFailed("asking for a service token", err, auth.secrets()...)
	}
	token, err := p.token(answer, scopes)
	if err != nil {
		return provider.Token{}, p.refuse("token", err)
	}
	return token, nil
}
