package github

import (
	"errors"
	"fmt"
	"log/slog"
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
	// Title shown to people. Default: "GitHub".
	Title string
	// ClientID and ClientSecret of the OAuth or GitHub App. Required.
	ClientID     string
	ClientSecret string
	// BaseURL is where people sign in. Default: https://github.com.
	BaseURL string
	// APIURL is the REST API. Default: https://api.github.com, or BaseURL/api/v3
	// when BaseURL is another.
	APIURL string
	// Scopes to ask for. Default: read:user, user:email. Organisations and
	// teams become groups when read:org is among them.
	Scopes []string
	// UserClaim is "email" or "login", what becomes Claims.User; a sign-in without
	// it is refused. A login can be given up and taken by somebody else.
	// Default: the verified primary e-mail address, else NAME:ID.
	UserClaim string

	// HTTPClient whose transport is used. Default: a new one.
	HTTPClient *http.Client
	// Now is the clock. Required.
	Now func() time.Time
	// Logger for what cannot be read. Default: none.
	Logger *slog.Logger
}

// String is the provider's name, and nothing of the secret.
func (c Config) String() string { return "provider " + c.Name }

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

const (
	defaultBaseURL = "https://github.com"
	defaultAPIURL  = "https://api.github.com"
	scopeOrgs      = "read:org"
	scopeEmail     = "user:email"
)

func (c *Config) complete() error {
	switch {
	case c.Name == "" || c.Now == nil:
		return errors.New("a provider needs a name and a clock")
	case c.ClientID == "" || c.ClientSecret == "":
		return fmt.Errorf("provider %s: client_id or client_secret is missing", c.Name)
	case c.UserClaim != "" && c.UserClaim != "email" && c.UserClaim != "login":
		return fmt.Errorf("provider %s: the user claim is email or login, not %q", c.Name, c.UserClaim)
	}
	if c.Title == "" {
		c.Title = "GitHub"
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	if c.BaseURL == "" {
		c.BaseURL = defaultBaseURL
	}
	if c.APIURL == "" && c.BaseURL == defaultBaseURL {
		c.APIURL = defaultAPIURL
	}
	if c.APIURL == "" {
		c.APIURL = c.BaseURL + "/api/v3"
	}
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	for _, raw := range []string{c.BaseURL, c.APIURL} {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" {
			return fmt.Errorf("provider %s: %q is not an https URL", c.Name, raw)
		}
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"read:user", scopeEmail}
	}
	c.Scopes = slices.Clone(c.Scopes)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
