package flows

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// leftFor is how long after a sign-out the provider is asked to let the person
// choose the account.
const leftFor = 24 * time.Hour

// serveLogout is a page with a form; only its POST acts, so that no image or
// link of another site signs anybody out. Clients send people here as well
// (end_session_endpoint), and where they name the session of this very browser,
// nobody is asked.
func (g *Gateway) serveLogout(w http.ResponseWriter, r *web.Request, at web.Issuer, cookie, client string) {
	id, err := web.FromCookies(r.Context(), g.Sessions, r.Header, web.SessionCookieName(cookie, r.Secure()), client)
	if errors.Is(err, session.ErrUnavailable) {
		g.answers.Unavailable(w, r, err)
		return
	}
	if id == nil {
		// A sign-out whose answer was lost is said again like this, and the
		// answer now is what counts.
		if err := g.confirmSignedOut(r, cookie); err != nil {
			g.answers.Unavailable(w, r, err)
			return
		}
	}
	params, err := logoutParams(r)
	if err != nil {
		g.answers.Malformed(w, r, page.Fault{RetryURL: at.Path + "logout", RetryLabel: "Sign out"})
		return
	}
	asked := g.parseLogout(at, params)
	if asked == (logoutRequest{}) {
		asked.RedirectURI = r.LogoutRedirect(onlyValue(params["post_logout_redirect_uri"]))
	}
	if id == nil && r.Method == http.MethodPost && !sentSession(r, cookie) {
		// Another site's POST comes without the cookie (SameSite), whatever its
		// fields are called, and what it asks for can be neither done nor said to
		// be done. Its way on is a GET, which has the cookie.
		web.SeeOther(w, r, logoutURL(at, g.sealLogout(at, asked)))
		return
	}
	switch {
	case id == nil:
		g.signedOut(w, r, at, cookie, asked)
		return
	case r.Method == http.MethodPost && params.Has(web.FormField):
		g.signOutByForm(w, r, at, cookie, id, asked)
		return
	}
	row, err := g.named(r.Context(), id, asked)
	own := isOwnLink(r)
	if err == nil && !own && acts(r) {
		own, err = g.isOfThisSignIn(r.Context(), id, row)
	}
	switch {
	case err != nil:
		g.answers.Unavailable(w, r, err)
		return
	case own:
		g.signOut(w, r, at, cookie, id, asked, row)
		return
	}
	p := page.SignOut{
		Site: at.Host, User: id.User, Action: at.Path + "logout",
		Fields: []page.Field{web.FormToken(g.Keyring, w, r.Request, at)}, Everywhere: at.IsPortal || g.HasPortal(),
	}
	if sealed := g.sealLogout(at, asked); sealed != "" {
		p.Fields = append(p.Fields, page.Field{Name: logoutField, Value: sealed})
	}
	g.Pages.SignOut(w, r.Request, http.StatusOK, p)
}

// clearSiteData has the browser forget what the site stored, where the site says so: a
// service worker would go on to show what it kept.
func clearSiteData(w http.ResponseWriter, r *web.Request) {
	if r.Site != nil && r.Site.ClearOnLogout {
		w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	}
}

func onlyValue(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

// isOwnLink reports whether a person has followed a link of the site's own pages to sign
// out, where the site says that such links do. A page of another site, a frame and what
// is fetched ask first.
func isOwnLink(r *web.Request) bool {
	one := func(name, value string) bool { return len(r.Header[name]) == 1 && r.Header[name][0] == value }
	return r.Site != nil && len(r.Site.LogoutRedirects) > 0 && r.Method == http.MethodGet && acts(r) &&
		one("Sec-Fetch-Site", "same-origin") && one("Sec-Fetch-Mode", "navigate") && one("Sec-Fetch-Dest", "document")
}

// sentSession reports whether a request holds a session cookie, good or not.
func sentSession(r *web.Request, cookie string) bool {
	return web.EachCookie(r.Header, web.SessionCookieName(cookie, r.Secure()), func(string) bool { return true })
}

func (g *Gateway) signOutByForm(w http.ResponseWriter, r *web.Request, at web.Issuer, cookie string, id *identity.Identity, asked logoutRequest) {
	if web.CheckForm(g.Keyring, r, at) != web.FormFine {
		g.logForm(r, "a sign-out was not done", id.ClientID)
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title: "You are still signed in", Message: "The request to sign out did not come from our own page.",
			Detail: "invalid_request", User: id.User, RetryURL: at.Path + "logout", RetryLabel: "Sign out",
		})
		return
	}
	row, err := g.named(r.Context(), id, asked)
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	g.signOut(w, r, at, cookie, id, asked, row)
}

// signOut ends the sign-in of this browser, with all that came from it, and the
// client's session that the client named.
func (g *Gateway) signOut(w http.ResponseWriter, r *web.Request, at web.Issuer, cookie string, id *identity.Identity, asked logoutRequest, named *tokenstore.Session) {
	// Signed out means that the server knows; a store that is down must not turn
	// into a promise that was not kept.
	onward := g.providerSignOut(r, at, id, asked)
	err := g.endNamed(r.Context(), named)
	if ending := g.signouts.EndSession(r.Context(), id.SessionID); ending != nil {
		err = ending
	}
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	g.Logger.InfoContext(r.Context(), "signed out", "user", id.User, "session", id.SessionID.String())
	g.Events(r.Context(), "logout", slog.String("user", id.User), slog.String("client_id", id.ClientID))
	web.SetPathCookie(w, at, web.LeftCookie, "1", leftFor)
	if onward != "" {
		web.ClearSession(w, r, cookie, r.Secure())
		clearSiteData(w, r)
		web.RedirectExternal(w, onward)
		return
	}
	g.signedOut(w, r, at, cookie, asked)
}

// confirmSignedOut has the sessions that a request's cookies name, and that have
// ended, ended everywhere.
func (g *Gateway) confirmSignedOut(r *web.Request, cookie string) (err error) {
	tries, lookups := 0, 0
	web.EachCookie(r.Header, web.SessionCookieName(cookie, r.Secure()), func(value string) bool {
		if tries++; tries > web.MaxTossed || lookups == web.MaxLookups {
			return true
		}
		h, parsing := handle.ParseSession(g.Keyring, value)
		if parsing != nil {
			return false // not one of ours
		}
		lookups++
		err = errors.Join(err, g.Sessions.ConfirmEnd(r.Context(), h))
		return false
	})
	return err
}

func (g *Gateway) signedOut(w http.ResponseWriter, r *web.Request, at web.Issuer, cookie string, asked logoutRequest) {
	// Another site can post here, and then the browser sends no cookie (SameSite)
	// but would keep what the answer sets. Only what was sent is taken back.
	if sentSession(r, cookie) {
		web.ClearSession(w, r, cookie, r.Secure())
		clearSiteData(w, r)
	}
	if to := asked.afterLogout(); to != "" {
		web.RedirectExternal(w, to)
		return
	}
	p := page.SignedOut{Site: at.Host, SignInURL: web.Prefix + "login?prompt=select_account"}
	if at.IsPortal {
		a := g.homeRequest(at)
		a.chooseAccount()
		p.SignInURL = g.signInAt(at, a)
	}
	g.Pages.SignedOut(w, r.Request, http.StatusOK, p)
}
