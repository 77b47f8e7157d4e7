package caddymodule

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// siteTerms are what all guards of a site share, whichever of them says it: the first
// that a request meets authenticates, and serves what is ours.
type siteTerms struct {
	web.Site
	// guards are those of the site that say something.
	guards []*Guard
	// scoped are those that require scopes.
	scoped []*Guard
	// basicToken: an access token may be the password of Basic credentials.
	basicToken bool
}

// Cookie says how browsers send the cookie of a site's sessions.
type Cookie struct {
	// `lax`, or `none`: also with what pages of other sites send, and in their frames.
	// That is by https only. Default: `lax`.
	SameSite string `json:"same_site,omitempty"`
	// Paths to which pages of other sites may send what may change something (any method
	// but GET, HEAD, OPTIONS and TRACE), as they stand in the address; with `none` alone.
	// Default: none, and such requests are refused.
	CrossSite []string `json:"cross_site,omitempty"`
}

// The values of same_site.
const (
	sameSiteLax  = "lax"
	sameSiteNone = "none"
)

func (c *Cookie) check() error {
	switch {
	case c == nil:
		return nil
	case c.SameSite != "" && c.SameSite != sameSiteLax && c.SameSite != sameSiteNone:
		return fmt.Errorf("cookie: same_site is lax or none, not %q: with strict, somebody who comes back from the sign-in would not be signed in", c.SameSite)
	case len(c.CrossSite) > 0 && c.SameSite != sameSiteNone:
		return fmt.Errorf("cookie: cross_site has no effect without same_site none: browsers do not send the cookie for pages of other sites")
	}
	for _, path := range c.CrossSite {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*?#\\ ") {
			return fmt.Errorf("cookie: cross_site %q is not a path such as /saml/acs; paths are compared as sent, without wildcards", path)
		}
	}
	return nil
}

// provisionSite checks what the guard says for all of its site.
func (g *Guard) provisionSite(ctx caddy.Context) error {
	if err := g.Cookie.check(); err != nil {
		return err
	}
	for _, to := range g.LogoutRedirect {
		if err := web.CheckLogoutRedirect(to); err != nil {
			return fmt.Errorf("logout_redirect: %w", err)
		}
	}
	if g.IdleIgnoreRaw == nil {
		return nil
	}
	matchers, err := ctx.LoadModule(g, "IdleIgnoreRaw")
	if err != nil {
		return fmt.Errorf("idle_ignore: loading matchers: %w", err)
	}
	return g.idleIgnored.FromInterface(matchers)
}

// settleSites gives all guards of a site the same terms. It is called when the guards
// know their names.
func (a *App) settleSites() error {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for _, g := range a.guards {
		var cookie *Cookie
		terms := new(siteTerms)
		for _, other := range a.guards {
			name, same := g.sharesName(other)
			if !same {
				continue
			}
			switch {
			case other.Cookie == nil:
			case cookie == nil:
				cookie = other.Cookie
			case !reflect.DeepEqual(cookie, other.Cookie):
				return saysTwice(name, "cookie")
			}
			switch {
			case other.LogoutRedirect == nil:
			case terms.LogoutRedirects == nil:
				terms.LogoutRedirects = other.LogoutRedirect
			case !slices.Equal(terms.LogoutRedirects, other.LogoutRedirect):
				return saysTwice(name, "logout_redirect")
			}
			terms.basicToken = terms.basicToken || other.BasicToken
			terms.ClearOnLogout = terms.ClearOnLogout || other.ClearSiteData
			if other.Require != nil && len(other.Require.Scopes) > 0 {
				terms.scoped = append(terms.scoped, other)
			}
			if len(other.idleIgnored) > 0 {
				terms.guards = append(terms.guards, other)
			}
		}
		if cookie != nil {
			terms.CrossSiteCookie, terms.CrossSite = cookie.SameSite == sameSiteNone, cookie.CrossSite
		}
		g.site = terms
	}
	return nil
}

func saysTwice(site, option string) error {
	return fmt.Errorf("the guards of %s differ in %s; set it in only one of them", site, option)
}

// isUncounted reports whether a request is no use of the session.
func (s *siteTerms) isUncounted(r *http.Request) bool {
	for _, g := range s.guards {
		if match, err := g.idleIgnored.AnyMatchWithError(r); err == nil && match {
			return true
		}
	}
	return false
}

// isForgeable is [web.Request.IsForgeable] of a request that no guard has met.
func (s *siteTerms) isForgeable(r *http.Request) bool {
	if !s.CrossSiteCookie {
		return false
	}
	uri, err := originalURI(r)
	asked := web.Request{Request: r, URI: uri, Host: r.Host, Site: &s.Site}
	return err != nil || asked.IsForgeable()
}
