package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Endpoints of a provider that the operator names. Each is a URL, or "".
type Endpoints struct {
	Authorization       string
	Token               string
	UserInfo            string
	JWKS                string
	Revocation          string
	EndSession          string
	PushedAuthorization string
	// Groups lists the groups of who has the access token, at a provider that is Plain.
	Groups        string
	Introspection string
}

// Named are the endpoints by their names in the Caddyfile.
func (e *Endpoints) Named() map[string]*string {
	return map[string]*string{
		"authorization": &e.Authorization, "token": &e.Token, "userinfo": &e.UserInfo, "jwks": &e.JWKS,
		"revocation": &e.Revocation, "end_session": &e.EndSession, "pushed_authorization": &e.PushedAuthorization,
		"groups":        &e.Groups,
		"introspection": &e.Introspection,
	}
}

// suffices reports whether no metadata are needed.
func (c *Config) suffices() bool {
	last := c.Endpoints.JWKS
	if c.Plain {
		last = c.Endpoints.UserInfo
	}
	if c.tokensOnly() {
		return last != ""
	}
	return c.Endpoints.Authorization != "" && c.Endpoints.Token != "" && last != ""
}

func (c *Config) checkEndpoints() error {
	for name, value := range c.Endpoints.Named() {
		if *value == "" {
			continue
		}
		if err := c.checkURL(*value); err != nil {
			return fmt.Errorf("endpoint %s: %w", name, err)
		}
	}
	if c.Endpoints.Groups != "" && !c.Plain {
		return errors.New("endpoint groups: an OpenID provider tells groups in its claims; write groups_claim")
	}
	if c.Plain && !c.suffices() {
		return errors.New("OAuth 2.0 has no metadata: endpoints needs authorization, token and userinfo")
	}
	for name, raw := range map[string]string{"metadata": c.MetadataURL, "groups overage": c.GroupsOverageURL} {
		if raw == "" {
			continue
		}
		if err := c.checkURL(raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if c.InternalURL == "" {
		return nil
	}
	if err := c.checkURL(c.InternalURL); err != nil {
		return fmt.Errorf("internal_url: %w", err)
	}
	if err := CheckOrigin(c.InternalURL); err != nil {
		return fmt.Errorf("internal_url: %w", err)
	}
	return nil
}

func (c *Config) checkURL(raw string) error {
	if err := CheckURL(raw); err != nil {
		return err
	}
	if u, err := url.Parse(raw); err != nil || !c.mayUse(u) {
		return fmt.Errorf("%s must be an https URL; in a network that is yours alone, insecure_http allows http", raw)
	}
	return nil
}

// CheckURL judges an address of a provider that an operator writes: an absolute URL of
// http or https, without a fragment (RFC 6749, section 3.1) and credentials, which the
// error does not repeat. It may be at a private address: who writes it means it.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it is not a URL such as https://sso.example.com/token")
	case u.User != nil:
		return errors.New("it has a user name or password in front of @; the client is authenticated by client_id and client_secret")
	case strings.Contains(raw, "#"):
		return fmt.Errorf("%s has a fragment; leave out what begins at #", raw)
	case !strings.HasPrefix(raw, u.Scheme+":"):
		return fmt.Errorf("%s has capital letters in its scheme; write %s://%s", raw, u.Scheme, strings.TrimPrefix(raw[len(u.Scheme):], "://"))
	case strings.HasSuffix(u.Hostname(), "."):
		return fmt.Errorf("%s: its host ends in a dot; leave the dot out", raw)
	}
	return nil
}

// CheckOrigin judges a URL that must be an origin.
func CheckOrigin(raw string) error {
	if u, err := url.Parse(raw); err != nil || strings.Trim(u.Path, "/") != "" || strings.Contains(raw, "?") {
		return fmt.Errorf("%s has a path or a query; write scheme, host and port alone", raw)
	}
	return nil
}

// NeedsInsecureHTTP reports whether an address can be used only with
// Config.InsecureHTTP: plain http, and not on this machine.
func NeedsInsecureHTTP(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "http" && !isLoopback(u.Hostname())
}

// trustedHosts are the hosts that the operator has named: wherever they are, they
// are meant.
func (c *Config) trustedHosts() []string {
	var hosts []string
	for _, value := range c.Endpoints.Named() {
		if u, err := url.Parse(*value); err == nil && u.Host != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	for _, raw := range []string{c.InternalURL, c.GroupsOverageURL} {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// internal is where the gateway reaches what browsers reach at an address: at the
// internal origin, if the address is at the issuer's.
func (c *Config) internal(raw string) string {
	if c.InternalURL == "" {
		return raw
	}
	u, err := url.Parse(raw)
	issuer, bad := url.Parse(c.Issuer)
	if err != nil || bad != nil || u.Scheme != issuer.Scheme || !strings.EqualFold(u.Host, issuer.Host) {
		return raw
	}
	return strings.TrimSuffix(c.InternalURL, "/") + u.RequestURI()
}

// apply puts the operator's endpoints in the place of those that the provider
// names, and the internal origin in the place of the issuer's.
func (m *metadata) apply(c *Config) error {
	named := map[string]*string{
		"authorization": &m.AuthURL, "token": &m.TokenURL, "userinfo": &m.UserInfoURL, "jwks": &m.JWKSURL,
		"revocation": &m.RevocationURL, "end_session": &m.EndSessionURL, "pushed_authorization": &m.PARURL,
		"groups":        &m.groupsURL,
		"introspection": &m.IntrospectionURL,
	}
	chosen := c.Endpoints.Named()
	m.publicTokenURL = m.TokenURL
	for name, endpoint := range named {
		switch {
		case *chosen[name] != "":
			*endpoint = *chosen[name]
		case name != "authorization" && name != "end_session":
			*endpoint = c.internal(*endpoint)
		}
	}
	if m.publicTokenURL == "" {
		m.publicTokenURL = m.TokenURL
	}
	if c.PAR && m.PARURL == "" {
		return errors.New("par is set, and it has no pushed_authorization_request_endpoint")
	}
	return nil
}
