package oidc

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

const defaultGroupsClaim = "groups"

func (c *Config) complete() error {
	switch {
	case c.Name == "":
		return errors.New("a provider needs a name")
	case c.Now == nil:
		return errors.New("a provider needs a clock")
	}
	for _, check := range []func() error{c.checkClient, c.checkIssuer, c.checkEndpoints, c.checkRequest, c.checkClaims, c.checkKept, c.checkPlain, c.checkAccept} {
		if err := check(); err != nil {
			return fmt.Errorf("provider %s: %w", c.Name, err)
		}
	}
	if c.Title == "" {
		c.Title = c.Name
	}
	if len(c.Scopes) == 0 && !c.Plain {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	if !c.Plain {
		c.Scopes = joinScopes([]string{"openid"}, c.Scopes)
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = defaultGroupsClaim
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// checkRequest judges what is sent with the authorization request.
func (c *Config) checkRequest() error {
	for name := range c.AuthParams {
		if slices.Contains(protocolParams, name) {
			return fmt.Errorf("the parameter %s is the protocol's own", name)
		}
	}
	return nil
}

// checkClaims judges how claims are read.
func (c *Config) checkClaims() error {
	if c.GroupsAs != groupsAsStrings && !slices.Contains(GroupShapes, c.GroupsAs) {
		return fmt.Errorf("groups_as must be one of %s, not %q", strings.Join(GroupShapes, ", "), c.GroupsAs)
	}
	if c.UserInfo != "" && !slices.Contains(UserInfoModes, c.UserInfo) {
		return fmt.Errorf("userinfo must be one of %s, not %q", strings.Join(UserInfoModes, ", "), c.UserInfo)
	}
	for _, domain := range c.TrustEmail {
		if !identity.IsDomain(domain) {
			return fmt.Errorf("trust_email: %q is not the domain of an e-mail address", domain)
		}
	}
	return nil
}

// checkPlain refuses what a provider without OpenID Connect cannot do: it has no ID
// token and no keys, and userinfo alone tells who somebody is.
func (c *Config) checkPlain() error {
	switch {
	case !c.Plain:
		return nil
	case len(c.AccessTokenClaims) > 0:
		return errors.New("access_token_claims: OAuth 2.0 has no keys to verify access tokens with; write claims, which are read from userinfo")
	case c.UserInfo == UserInfoNever:
		return errors.New("userinfo never: without OpenID Connect userinfo alone tells who somebody is")
	}
	return nil
}

func (c *Config) checkIssuer() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the issuer must be a URL without query and fragment, such as https://sso.example.com")
	}
	if !c.mayUse(u) {
		return fmt.Errorf("the issuer %s must be an https URL; in a network that is yours alone, insecure_http allows http", c.Issuer)
	}
	return nil
}

// mayUse reports whether a URL's scheme is one that the operator allows.
func (c *Config) mayUse(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (c.InsecureHTTP || isLoopback(u.Hostname()))
}

// outbound is how the provider is reached.
func (c *Config) outbound() outbound.Options {
	o := outbound.Options{Client: c.HTTPClient, Trusted: c.trustedHosts(), RootCAs: c.RootCAs}
	if u, err := url.Parse(c.Issuer); err == nil {
		o.Issuer = u.Hostname()
	}
	return o
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// protocolParams are set by AuthURL alone.
var protocolParams = []string{
	"client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce", "redirect_uri",
	"request", "request_uri", "response_mode", "response_type", "scope", "state",
}

// joinScopes appends what is not there yet.
func joinScopes(have, more []string) []string {
	have = slices.Clone(have)
	for _, s := range more {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(have, s) {
			have = append(have, s)
		}
	}
	return have
}
