package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// metadata is what Gatehouse uses of a provider's metadata (OpenID Connect
// Discovery, section 3; RFC 8414; RFC 9207, section 3).
type metadata struct {
	Issuer        string   `json:"issuer"`
	AuthURL       string   `json:"authorization_endpoint"`
	TokenURL      string   `json:"token_endpoint"`
	JWKSURL       string   `json:"jwks_uri"`
	UserInfoURL   string   `json:"userinfo_endpoint"`
	RevocationURL string   `json:"revocation_endpoint"`
	EndSessionURL string   `json:"end_session_endpoint"`
	SigningAlgs   []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	SendsIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
	Prompts       hints    `json:"prompt_values_supported"`
	Claims        hints    `json:"claims_supported"`
}

// hints are values of the metadata that are no more than that, so a shape that is not
// known says nothing, and does not make the whole document unreadable.
type hints []string

// UnmarshalJSON implements [json.Unmarshaler].
func (v *hints) UnmarshalJSON(raw []byte) error {
	var values []string
	if json.Unmarshal(raw, &values) == nil {
		*v = values
	}
	return nil
}

// algorithms are those that an ID token may be signed by: asymmetric ones
// only. With the public key as an HMAC secret anybody could sign (RFC 8725,
// section 2.1).
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

func (p *Provider) fetchMetadata(ctx context.Context) (*metadata, error) {
	body, err := outbound.GetJSON(ctx, p.client, strings.TrimSuffix(p.config.Issuer, "/")+"/.well-known/openid-configuration", "")
	if err != nil {
		return nil, err
	}
	var m metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("%w: reading its metadata: %w", provider.ErrUnavailable, err)
	}
	if err := m.check(p.config.Issuer); err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	return &m, nil
}

func (m *metadata) check(issuer string) error {
	// To the letter: a trailing slash makes another issuer (OpenID Connect
	// Discovery, section 4.3).
	if m.Issuer != issuer {
		return fmt.Errorf("its issuer is %q, not %q as configured", outbound.Printable(m.Issuer), issuer)
	}
	home, err := url.Parse(issuer)
	if err != nil {
		return err
	}
	for _, e := range []struct {
		name, url         string
		required, browser bool
	}{
		{"authorization_endpoint", m.AuthURL, true, true},
		{"token_endpoint", m.TokenURL, true, false},
		{"jwks_uri", m.JWKSURL, true, false},
		{"userinfo_endpoint", m.UserInfoURL, false, false},
		{"revocation_endpoint", m.RevocationURL, false, false},
		{"end_session_endpoint", m.EndSessionURL, false, true},
	} {
		if e.url == "" && !e.required {
			continue
		}
		u, err := url.Parse(e.url)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
			return fmt.Errorf("its %s is missing or no URL", e.name)
		}
		// Only who is configured with plain http may use it.
		if u.Scheme != "https" && (u.Scheme != "http" || home.Scheme != "http") {
			return fmt.Errorf("its %s is no https URL", e.name)
		}
		if !e.browser {
			if err := checkReach(home, u); err != nil {
				return fmt.Errorf("its %s %w", e.name, err)
			}
		}
	}
	m.SigningAlgs = slices.DeleteFunc(m.SigningAlgs, func(a string) bool { return !slices.Contains(algorithms, a) })
	if len(m.SigningAlgs) == 0 {
		// The one that is mandatory (OpenID Connect Core, section 15.1).
		m.SigningAlgs = []string{"RS256"}
	}
	return nil
}

// checkReach keeps metadata from sending us where the operator did not: who can write
// those of an issuer by plain http is not known, and one on the internet has nothing
// in our network. What names resolve to is checked when they are connected to.
func checkReach(issuer, endpoint *url.URL) error {
	from, to := issuer.Hostname(), endpoint.Hostname()
	switch {
	case strings.EqualFold(from, to), isLoopback(from) && isLoopback(to):
		return nil
	case issuer.Scheme == "http":
		return errors.New("is at another host than the issuer, which is reached by plain http")
	case outbound.IsPrivate(to) && !outbound.IsPrivate(from):
		return errors.New("is at a private address, and the issuer is not")
	}
	return nil
}
