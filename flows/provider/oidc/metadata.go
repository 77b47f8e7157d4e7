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
	Issuer        string `json:"issuer"`
	AuthURL       string `json:"authorization_endpoint"`
	TokenURL      string `json:"token_endpoint"`
	JWKSURL       string `json:"jwks_uri"`
	UserInfoURL   string `json:"userinfo_endpoint"`
	RevocationURL string `json:"revocation_endpoint"`
	EndSessionURL string `json:"end_session_endpoint"`
	// IntrospectionURL is that of RFC 7662.
	IntrospectionURL string   `json:"introspection_endpoint"`
	SigningAlgs      []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	SendsIssuer      bool     `json:"authorization_response_iss_parameter_supported"`
	Prompts          hints    `json:"prompt_values_supported"`
	Claims           hints    `json:"claims_supported"`
	Scopes           hints    `json:"scopes_supported"`
	PARURL           string   `json:"pushed_authorization_request_endpoint"`
	RequiresPAR      bool     `json:"require_pushed_authorization_requests"`

	// publicTokenURL is the token endpoint by the provider's own name for it.
	publicTokenURL string
	groupsURL      string
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
	m := metadata{Issuer: p.config.Issuer}
	if !p.config.suffices() {
		body, err := outbound.GetJSON(ctx, p.client, p.metadataURL(), "")
		if err != nil {
			return nil, p.noMetadata(err)
		}
		m = metadata{}
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, fmt.Errorf("%w: reading its metadata: %w", provider.ErrUnavailable, err)
		}
	}
	if err := m.complete(&p.config); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", provider.ErrUnavailable, provider.ErrMisconfigured, err)
	}
	return &m, nil
}

// metadataURL is where the metadata are (OpenID Connect Discovery, section 4.1).
func (p *Provider) metadataURL() string {
	if p.config.MetadataURL != "" {
		return p.config.internal(p.config.MetadataURL)
	}
	return p.config.internal(strings.TrimSuffix(p.config.Issuer, "/") + "/.well-known/openid-configuration")
}

// complete puts in what the operator configured, and checks the rest.
func (m *metadata) complete(c *Config) error {
	if m.Issuer != c.Issuer {
		return wrongIssuer(m.Issuer, c.Issuer)
	}
	if err := m.check(c); err != nil {
		return err
	}
	m.SigningAlgs = slices.DeleteFunc(m.SigningAlgs, func(a string) bool { return !slices.Contains(algorithms, a) })
	if len(m.SigningAlgs) == 0 {
		// The one that is mandatory (OpenID Connect Core, section 15.1).
		m.SigningAlgs = []string{"RS256"}
		if c.suffices() { // and no metadata tell
			m.SigningAlgs = slices.Clone(algorithms)
		}
	}
	return nil
}

// wrongIssuer names the difference and the cure. The issuer is compared to the letter:
// a trailing slash makes another one (OpenID Connect Discovery, section 4.3).
func wrongIssuer(found, configured string) error {
	cure := "write the issuer as it does"
	switch {
	case found == "":
		return errors.New("its metadata names no issuer: is this the address of an OpenID provider?")
	case strings.TrimSuffix(found, "/") == strings.TrimSuffix(configured, "/"):
		cure = "they differ in the slash at the end; write the issuer as it does"
	case strings.Contains(found, TenantPlaceholder):
		cure = "this address stands for many tenants; write your tenant's id in its place, or use: provider entra"
	}
	return fmt.Errorf("its issuer is %q, not %q as configured: %s", outbound.Printable(found), configured, cure)
}

// check judges the endpoints: those that the provider names, in so far as the
// operator has not named others.
func (m *metadata) check(c *Config) error {
	home, err := url.Parse(c.Issuer)
	if err != nil {
		return err
	}
	chosen := c.Endpoints.Named()
	for _, e := range []struct {
		name, option, url string
		required, browser bool
	}{
		{"authorization_endpoint", "authorization", m.AuthURL, !c.tokensOnly(), true},
		{"token_endpoint", "token", m.TokenURL, !c.tokensOnly(), false},
		{"jwks_uri", "jwks", m.JWKSURL, !c.Plain, false},
		{"userinfo_endpoint", "userinfo", m.UserInfoURL, false, false},
		{"revocation_endpoint", "revocation", m.RevocationURL, false, false},
		{"end_session_endpoint", "end_session", m.EndSessionURL, false, true},
		{"introspection_endpoint", "introspection", m.IntrospectionURL, false, false},
		{"pushed_authorization_request_endpoint", "pushed_authorization", m.PARURL, false, false},
	} {
		if *chosen[e.option] != "" || e.url == "" && !e.required {
			continue
		}
		if err := checkEndpoint(c, home, e.url, e.browser); err != nil {
			return fmt.Errorf("its %s %w", e.name, err)
		}
	}
	return m.apply(c)
}

func checkEndpoint(c *Config, home *url.URL, endpoint string, browser bool) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("is missing or no URL")
	}
	if !browser && slices.ContainsFunc(c.trustedHosts(), func(h string) bool { return strings.EqualFold(h, u.Hostname()) }) && c.mayUse(u) {
		return nil
	}
	// Only who is configured with plain http may use it.
	if u.Scheme != "https" && (u.Scheme != "http" || home.Scheme != "http") {
		return errors.New("is no https URL")
	}
	if browser {
		return nil
	}
	return checkReach(home, u)
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

func (p *Provider) issuerCure() string {
	if p.config.IssuerCure == "" {
		return ""
	}
	return " " + p.config.IssuerCure
}

// noMetadata tells an outage from what no waiting mends.
func (p *Provider) noMetadata(err error) error {
	status, refused := errors.AsType[*outbound.StatusError](err)
	switch {
	case refused && status.Location != "":
		return fmt.Errorf("%w: %w; it redirects to %s, and redirects are not followed: if that is your provider, write its issuer",
			err, provider.ErrMisconfigured, outbound.Printable(status.Location))
	case refused && status.IsRefusal(), errors.Is(err, outbound.ErrNoJSON): // a page for people
		return fmt.Errorf("%w: %w; is the issuer written exactly as the provider writes it?%s", err, provider.ErrMisconfigured, p.issuerCure())
	}
	return err
}
