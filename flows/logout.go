package flows

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// leftFor is how long after a sign-out the provider is asked to let the person
// choose the account.
const leftFor = 24 * time.Hour

// serveLogout is a page with a form; only its POST acts, so that no image or
// link of another site signs anybody out.
func (g *Gateway) serveLogout(w http.ResponseWriter, r *Request, at place, cookie, client string) {
	id, err := g.fromCookies(r.Context(), r.Header, sessionCookieName(cookie, r.secure()), client)
	if errors.Is(err, session.ErrUnavailable) {
		g.unavailable(w, r, err)
		return
	}
	if r.Method == http.MethodPost {
		g.signOut(w, r, at, cookie, id)
		return
	}
	if id == nil {
		g.signedOut(w, r, at, cookie)
		return
	}
	g.Pages.SignOut(w, r.Request, http.StatusOK, page.SignOut{
		Site: at.host, User: id.User, Action: at.path + "logout",
		Fields: []page.Field{g.formToken(w, r.Request, at)}, Everywhere: g.HasPortal(),
	})
}

func (g *Gateway) signOut(w http.ResponseWriter, r *Request, at place, cookie string, id *identity.Identity) {
	if err := parseForm(w, r); err != nil {
		g.startOver(w, r, at)
		return
	}
	if id != nil && g.checkForm(r, at) != formFine {
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title: "You are still signed in", Message: "The request to sign out did not come from our own page.",
			Detail: "invalid_request", User: id.User, RetryURL: at.path + "logout", RetryLabel: "Sign out",
		})
		return
	}
	if id != nil {
		// Signed out means that the server knows; a store that is down must
		// not turn into a promise that was not kept.
		if err := g.Sessions.End(r.Context(), id.SessionID); err != nil {
			g.unavailable(w, r, err)
			return
		}
		g.Logger.InfoContext(r.Context(), "signed out", "user", id.User, "session", id.SessionID.String())
		g.Events(r.Context(), "logout", slog.String("user", id.User), slog.String("client_id", id.ClientID))
		setPathCookie(w, at, leftCookie, "1", leftFor)
	}
	g.signedOut(w, r, at, cookie)
}

func (g *Gateway) signedOut(w http.ResponseWriter, r *Request, at place, cookie string) {
	clearSession(w, cookie, r.secure())
	p := page.SignedOut{Site: at.host}
	if !at.portal {
		p.SignInURL = Prefix + "login?prompt=select_account"
	}
	g.Pages.SignedOut(w, r.Request, http.StatusOK, p)
}
