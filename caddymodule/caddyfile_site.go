package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// parseSiteOption parses what a guard says of its site and its callers, if it is that.
func (g *Guard) parseSiteOption(h httpcaddyfile.Helper) (known bool, err error) {
	switch h.Val() {
	case "cookie":
		return true, g.parseCookie(h)
	case "idle_ignore":
		return true, g.parseIdleIgnore(h)
	case "logout_redirect":
		return true, g.parseLogoutRedirect(h)
	case "app_credentials":
		return true, g.parseAppCredentials(h)
	case "basic_token":
		return true, flag(h.Dispenser, &g.BasicToken)
	case "resource":
		return true, g.parseResource(h)
	case "clear_site_data":
		return true, flag(h.Dispenser, &g.ClearSiteData)
	}
	return false, nil
}

// parseCookie parses:
//
//	cookie {
//		same_site lax | none
//		cross_site <path…>
//	}
func (g *Guard) parseCookie(h httpcaddyfile.Helper) error {
	if g.Cookie != nil {
		return h.Err("cookie is given twice")
	}
	if err := noArgsBehind(h.Dispenser); err != nil {
		return err
	}
	g.Cookie = new(Cookie)
	for nesting := h.Nesting(); h.NextBlock(nesting); {
		var err error
		switch h.Val() {
		case "same_site":
			err = oneArg(h.Dispenser, &g.Cookie.SameSite)
		case "cross_site":
			err = someWords(h.Dispenser, &g.Cookie.CrossSite)
		default:
			err = h.Errf("unrecognized option %q of cookie%s", h.Val(), meant(h.Val(), []string{"same_site", "cross_site"}, guardOptions...))
		}
		if err != nil {
			return err
		}
	}
	if err := g.Cookie.check(); err != nil {
		return h.WrapErr(err)
	}
	return nil
}

// parseIdleIgnore parses `idle_ignore <matcher…>`: paths, and names of matchers. Each is
// an alternative.
func (g *Guard) parseIdleIgnore(h httpcaddyfile.Helper) error {
	option, last := h.Val(), ""
	for {
		matcher, ok, err := h.MatcherToken()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		last = h.Val()
		g.IdleIgnoreRaw = append(g.IdleIgnoreRaw, matcher)
	}
	switch h.Val() {
	case option:
		return missingValue(h.Dispenser, option)
	case last:
		return noBlock(h.Dispenser)
	}
	return h.Errf("idle_ignore takes paths and named matchers, such as /api/poll or @poll, and not %q", h.Val())
}

// parseLogoutRedirect parses `logout_redirect <address…>`.
func (g *Guard) parseLogoutRedirect(h httpcaddyfile.Helper) error {
	from := len(g.LogoutRedirect)
	if err := someWords(h.Dispenser, &g.LogoutRedirect); err != nil {
		return err
	}
	for _, to := range g.LogoutRedirect[from:] {
		if err := web.CheckLogoutRedirect(to); err != nil {
			return h.Errf("logout_redirect: %v", err)
		}
	}
	return nil
}

// parseAppCredentials parses `app_credentials <scheme…>` and `app_credentials header
// <name…>`.
func (g *Guard) parseAppCredentials(h httpcaddyfile.Helper) error {
	if g.AppCredentials == nil {
		g.AppCredentials = new(AppCredentials)
	}
	c, target := g.AppCredentials, &g.AppCredentials.Schemes
	if line := *h.Dispenser; line.NextArg() && line.Val() == "header" {
		h.NextArg()
		target = &c.Headers
	}
	if err := someWords(h.Dispenser, target); err != nil {
		return err
	}
	if err := g.checkAppCredentials(); err != nil {
		return h.WrapErr(err)
	}
	return nil
}
