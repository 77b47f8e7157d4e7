package github

import (
	"crypto/x509"
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
	// APIURL is the REST API. Default: https://api.github.com; the host api.NAME.ghe.com
	// where BaseURL is at NAME.ghe.com; else BaseURL/api/v3, as Enterprise servers have it.
	APIURL string
	// Scopes to ask for. Default: read:user, user:email. Organisations and
	// teams become groups when read:org is among them.
	Scopes []string
	// UserClaim is "email" or "login", what becomes Claims.User; a sign-in without
	// it is refused. A login can be given up and taken by somebody else.
	// Default: the verified primary e-mail address, else NAME:ID.
	UserClaim string

	// RootCAs verify the server's certificates. Default: the system's.
	RootCAs *x509.CertPool
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
	if IsOpen(c.BaseURL) {
		c.BaseURL = defaultBaseURL
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	if err := CheckURL(c.BaseURL); err != nil {
		return fmt.Errorf("provider %s: %w", c.Name, err)
	}
	if c.APIURL == "" {
		c.APIURL = apiOf(c.BaseURL)
	}
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"read:user", scopeEmail}
	}
	c.Scopes = slices.Clone(c.Scopes)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// CheckURL refuses what cannot be the address of a GitHub server.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1":
		return fmt.Errorf("url: %q is not the https address of a GitHub server, such as https://github.example.com", raw)
	case strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("url: %s has a path; write the server's address alone, such as https://%s", raw, u.Host)
	case strings.EqualFold(u.Hostname(), "api.github.com"):
		return errors.New("url: people sign in at https://github.com, which is the default; remove url")
	}
	return nil
}

// IsOpen reports whether an address is github.com's, where anybody can open an account,
// however it is written. "" is.
func IsOpen(raw string) bool {
	u, err := url.Parse(raw)
	host := ""
	if err == nil {
		host = strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	}
	return raw == "" || host == "github.com" || host == "www.github.com"
}

// apiOf is the REST API of a server.
func apiOf(base string) string {
	u, err := url.Parse(base)
	switch {
	case base == defaultBaseURL:
		return defaultAPIURL
	case err == nil && strings.HasSuffix(u.Host, ".ghe.com"):
		// https://docs.github.com/enterprise-cloud@latest/admin/data-residency/about-github-enterprise-cloud-with-data-residency
		return "https://api." + u.Host
	}
	return base + "/api/v3"
}
