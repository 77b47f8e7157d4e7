package oidc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// Client authentication methods (OpenID Connect Core, section 9).
const (
	authBasic         = "client_secret_basic"
	authPost          = "client_secret_post"
	authPrivateKeyJWT = "private_key_jwt"
	authNone          = "none"
)

// ClientAuthMethods are the ways to authenticate at a provider.
var ClientAuthMethods = []string{authBasic, authPost, authPrivateKeyJWT, authNone}

// Audiences of a client assertion. The issuer is the one that an attacker's
// provider cannot have us use at another (OAuth 2.0 Security Best Current Practice
// update of 2025: audience injection).
const (
	AudienceIssuer        = "issuer"
	AudienceTokenEndpoint = "token_endpoint"
)

func (c *Config) checkClient() error {
	hasSecret := c.ClientSecret != "" || c.MakeSecret != nil
	switch {
	case c.ClientID == "" && c.Accept == nil:
		return errors.New("client_id is missing")
	case c.ClientAuth != "" && !slices.Contains(ClientAuthMethods, c.ClientAuth):
		return fmt.Errorf("client_auth must be one of %s, not %q", strings.Join(ClientAuthMethods, ", "), c.ClientAuth)
	case !slices.Contains([]string{"", AudienceIssuer, AudienceTokenEndpoint}, c.AssertionAudience):
		return fmt.Errorf("the audience of assertions is %s or %s, not %q", AudienceIssuer, AudienceTokenEndpoint, c.AssertionAudience)
	case c.ClientAuth == authPrivateKeyJWT && c.Key == nil:
		return errors.New("client_auth private_key_jwt needs a key")
	case c.Key != nil && c.ClientAuth != "" && c.ClientAuth != authPrivateKeyJWT:
		return fmt.Errorf("client_auth %s needs no key", c.ClientAuth)
	case c.Key != nil && hasSecret:
		return errors.New("client_auth private_key_jwt takes the place of client_secret; remove one of them")
	case c.ClientAuth == authNone && hasSecret:
		return errors.New("client_auth none is for a client without client_secret; remove one of them")
	case (c.ClientAuth == authBasic || c.ClientAuth == authPost) && !hasSecret:
		return fmt.Errorf("client_auth %s needs client_secret", c.ClientAuth)
	}
	return nil
}

// clientAuth is how the client authenticates.
func (p *Provider) clientAuth(m *metadata) string {
	switch {
	case p.config.ClientAuth != "":
		return p.config.ClientAuth
	case p.config.Key != nil:
		return authPrivateKeyJWT
	case p.config.ClientSecret == "" && p.config.MakeSecret == nil:
		return authNone
	case slices.Contains(m.AuthMethods, authPost) && !slices.Contains(m.AuthMethods, authBasic):
		return authPost
	}
	return authBasic
}

// credentials are what a request to the provider authenticates the client with:
// parameters of its form, or a secret for its Authorization header.
type credentials struct {
	method string
	secret string
	form   url.Values
}

// secrets are what of the credentials no error may quote.
func (c credentials) secrets() []string { return []string{c.secret, c.form.Get("client_assertion")} }

// authenticate makes the credentials of one request.
func (p *Provider) authenticate(m *metadata) (credentials, error) {
	c := credentials{method: p.clientAuth(m), secret: p.config.ClientSecret, form: url.Values{}}
	var err error
	switch {
	case c.method == authPrivateKeyJWT:
		audience := p.config.Issuer
		if p.config.AssertionAudience == AudienceTokenEndpoint {
			audience = m.publicTokenURL
		}
		var assertion string
		assertion, err = p.config.Key.assertion(p.config.Random, p.config.ClientID, audience, p.config.Now())
		c.form.Set("client_assertion_type", assertionType)
		c.form.Set("client_assertion", assertion)
	case p.config.MakeSecret != nil:
		c.secret, err = p.config.MakeSecret(p.config.Now())
	}
	if err != nil {
		return c, fmt.Errorf("authenticating the client: %w", err)
	}
	return c, nil
}

// oauth2Config never leaves the way of authentication open: the library would try a
// code twice.
func (c credentials) oauth2Config(id string, m *metadata) oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if c.method != authBasic {
		style = oauth2.AuthStyleInParams
	}
	return oauth2.Config{
		ClientID:     id,
		ClientSecret: c.secret,
		Endpoint:     oauth2.Endpoint{AuthURL: m.AuthURL, TokenURL: m.TokenURL, AuthStyle: style},
	}
}

// options are the form's parameters for the library.
func (c credentials) options() []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	for name, values := range c.form {
		options = append(options, oauth2.SetAuthURLParam(name, values[0]))
	}
	return options
}

// formRequest is a form with the client's authentication (RFC 6749, section
// 2.3.1: id and secret are form-encoded before they become Basic credentials).
func (p *Provider) formRequest(ctx context.Context, m *metadata, endpoint string, form url.Values) (*http.Request, error) {
	c, err := p.authenticate(m)
	if err != nil {
		return nil, err
	}
	maps.Copy(form, c.form)
	if c.method != authBasic {
		form.Set("client_id", p.config.ClientID)
	}
	if c.method == authPost {
		form.Set("client_secret", c.secret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("its endpoint is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if c.method == authBasic {
		req.SetBasicAuth(url.QueryEscape(p.config.ClientID), url.QueryEscape(c.secret))
	}
	return req, nil
}
