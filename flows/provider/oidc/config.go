package oidc

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config of a Provider.
type Config struct {
	// Name of the provider block. Required.
	Name string
	// Title shown to people. Default: Name.
	Title string
	// Issuer as the provider writes it, to the letter. Required. Plain http
	// is accepted for loopback addresses only, unless InsecureHTTP is set.
	Issuer       string
	InsecureHTTP bool
	// ClientID that the provider gave. Required.
	ClientID string
	// ClientSecret; "" for a public client.
	ClientSecret string
	// ClientAuth is "client_secret_basic" or "client_secret_post". Default: the first of
	// them that the provider advertises. A code is never tried with both.
	ClientAuth string
	// Scopes to ask for. Default: openid, profile, email. openid is added.
	Scopes []string
	// AuthParams are further parameters of the authorization request. They
	// cannot replace one of the protocol's.
	AuthParams map[string]string
	// HostedDomain is Google's parameter hd. When set, the ID token's claim hd
	// must be the same.
	HostedDomain string

	// UserClaim is the claim that becomes Claims.User; a sign-in without it
	// is refused, and of "email" only a verified address counts. Default: the verified
	// e-mail address, else NAME:sub.
	UserClaim string
	// GroupsClaim holds the groups. A name that is no claim itself is read as a
	// path ("realm_access.roles"). Default: "groups".
	GroupsClaim string
	// GroupsAs is the shape of the groups, one of GroupShapes. Default: a list of
	// strings, or one string that can only be one group. Groups of another shape
	// are not known: see the package's documentation.
	GroupsAs string
	// ExtraClaims are kept in Claims.Extra, up to 4 KiB each.
	ExtraClaims []string
	// TrustEmail takes an e-mail address without the claim email_verified
	// for verified: right where only the operator can set addresses. An
	// address that the provider calls unverified stays so.
	TrustEmail bool
	// UserInfo is when the userinfo endpoint is asked, one of UserInfoModes.
	// Default: UserInfoAuto.
	UserInfo string

	// HTTPClient whose transport is used. Default: a new one.
	HTTPClient *http.Client
	// Now is the clock. Required.
	Now func() time.Time
	// Logger for failed fetches. Default: none.
	Logger *slog.Logger
}

// String is the provider's name, and nothing of the secret.
func (c Config) String() string { return "provider " + c.Name }

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

const defaultGroupsClaim = "groups"

// Client authentication methods (OpenID Connect Core, section 9).
const (
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
)

func (c *Config) complete() error {
	switch {
	case c.Name == "":
		return errors.New("a provider needs a name")
	case c.Now == nil:
		return errors.New("a provider needs a clock")
	case c.ClientID == "":
		return fmt.Errorf("provider %s: client_id is missing", c.Name)
	case c.ClientAuth != "" && c.ClientAuth != authBasic && c.ClientAuth != authPost:
		return fmt.Errorf("provider %s: client authentication is %s or %s, not %q", c.Name, authBasic, authPost, c.ClientAuth)
	}
	if c.GroupsAs != groupsAsStrings && !slices.Contains(GroupShapes, c.GroupsAs) {
		return fmt.Errorf("provider %s: groups_as must be one of %s, not %q", c.Name, strings.Join(GroupShapes, ", "), c.GroupsAs)
	}
	if c.UserInfo != "" && !slices.Contains(UserInfoModes, c.UserInfo) {
		return fmt.Errorf("provider %s: userinfo must be one of %s, not %q", c.Name, strings.Join(UserInfoModes, ", "), c.UserInfo)
	}
	if err := c.checkIssuer(); err != nil {
		return fmt.Errorf("provider %s: %w", c.Name, err)
	}
	for name := range c.AuthParams {
		if slices.Contains(protocolParams, name) {
			return fmt.Errorf("provider %s: the parameter %s is the protocol's own", c.Name, name)
		}
	}
	if c.Title == "" {
		c.Title = c.Name
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	c.Scopes = joinScopes([]string{"openid"}, c.Scopes)
	if c.GroupsClaim == "" {
		c.GroupsClaim = defaultGroupsClaim
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (c *Config) checkIssuer() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the issuer must be a URL without query and fragment, such as https://sso.example.com")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && (c.InsecureHTTP || isLoopback(u.Hostname())):
	default:
		return fmt.Errorf("the issuer %s must be an https URL", c.Issuer)
	}
	return nil
}

// host of the issuer, which is a URL.
func (c *Config) host() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
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
