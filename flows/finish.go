package flows

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/google/uuid"
)

// portalClient is the client id of a sign-in at the portal. No host is called
// so.
const portalClient = ":portal"

// finish ends a sign-in of somebody who is known now: at a site of its own with
// a session and a redirect, at the portal with a session there and a code for
// the client.
func (g *Gateway) finish(w http.ResponseWriter, r *Request, at place, a authRequest, start session.Start) {
	if !a.forSite() {
		portal, ok := g.signInPortal(w, r, at, a, start)
		if ok {
			g.sendCode(w, r, at, a, portal.Identity, uuid.Nil, false)
		}
		return
	}
	start.ClientID = clientOf(r.Host)
	start.UserAgent = r.UserAgent()
	started, err := g.Sessions.SignIn(r.Context(), start)
	if err != nil {
		g.signInFailed(w, r, at, err)
		return
	}
	g.signedInEvent(r, started)
	setSession(w, siteCookie, started.Handle, at.secure(), started.ExpiresAt.Sub(g.Now()))
	clearPathCookie(w, at, leftCookie)
	seeOther(w, r, a.ReturnTo)
}

// signInPortal creates the sign-in at the portal that the sites' sessions come
// from.
func (g *Gateway) signInPortal(w http.ResponseWriter, r *Request, at place, a authRequest, start session.Start) (session.Started, bool) {
	start.ClientID = portalClient
	start.UserAgent = r.UserAgent()
	started, err := g.Sessions.SignIn(r.Context(), start)
	if err != nil {
		g.signInFailed(w, r, at, err)
		return session.Started{}, false
	}
	g.signedInEvent(r, started)
	setSession(w, portalCookie, started.Handle, at.secure(), started.ExpiresAt.Sub(g.Now()))
	return started, true
}

func (g *Gateway) signedInEvent(r *Request, s session.Started) {
	g.Logger.InfoContext(r.Context(), "signed in", "user", s.Identity.User, "provider", s.Identity.Provider,
		"client_id", s.Identity.ClientID, "session", s.Identity.SessionID.String(), "client_ip", r.Client)
	g.Events(r.Context(), "login", slog.String("user", s.Identity.User), slog.String("provider", s.Identity.Provider),
		slog.String("client_id", s.Identity.ClientID), slog.String("client_ip", r.Client))
}

func (g *Gateway) signInFailed(w http.ResponseWriter, r *Request, at place, err error) {
	switch {
	case errors.Is(err, tokenstore.ErrSuspended):
		g.Events(r.Context(), "login_failed", slog.String("reason", "suspended"))
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title: "This account is suspended", Message: "Please ask whoever runs this site.", Detail: "access_denied",
		})
	case errors.Is(err, tokenstore.ErrExists), errors.Is(err, tokenstore.ErrRevoked):
		g.badCallback(w, r, at, "This sign-in was finished already.")
	default:
		g.unavailable(w, r, err)
	}
}
