package flows

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// portalClient is the client id of a sign-in at the portal. No host is called
// so.
const portalClient = ":portal"

// carryOn does what the sign-in was begun for, now that it is known who is here:
// at a site of its own it leads back there, for a client it gives a code, for a
// device it asks whether that is theirs. pending is the stored flow that the
// sign-in went through, if it went through one.
func (g *Gateway) carryOn(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, started session.Started, pending uuid.UUID) {
	// Whoever signs in by hand has done what was asked for.
	a.Prompt = strings.Join(slices.DeleteFunc(strings.Fields(a.Prompt), func(p string) bool { return p != "consent" }), " ")
	a.Own, a.Tried, a.Again = false, 0, false
	forgetSignOut(w, r, at)
	switch {
	case a.forSite():
		web.SeeOther(w, r, a.ReturnTo)
	case a.Device != "":
		g.conclude(r, pending, a, started.Identity.Subject)
		g.confirmPage(w, r, at, a.Device, started.Identity)
	default:
		c := g.clientOrSite(at, a.Client)
		if c == nil {
			g.forget(r, pending)
			g.badAuthorize(w, r, "The application is no longer known here.")
			return
		}
		g.authorized(w, r, at, c, a, started.Identity, pending)
	}
}

// forget gives up the flow that a sign-in went through, if it went through one,
// where it ends otherwise than by a code: it would count under its owner's cap
// until it expires.
func (g *Gateway) forget(r *web.Request, pending uuid.UUID) {
	if pending != uuid.Nil {
		_ = g.Cache.DeleteFlow(r.Context(), authcode.Key(pending), web.AddressKey(r.ClientIP))
	}
}

// signIn creates the session of a sign-in at an issuer, and gives the browser
// its handle: at the portal the sign-in that the sites' sessions come from, at
// a site of its own the site's. What the browser held before it either renews or
// ends; see [formerSignIn]. The caller answers an error, which may come when the
// session is stored already.
func (g *Gateway) signIn(w http.ResponseWriter, r *web.Request, at web.Issuer, start session.Start) (session.Started, error) {
	cookie := web.SiteCookie
	start.ClientID = at.Host
	if at.IsPortal {
		cookie, start.ClientID = web.PortalCookie, portalClient
	}
	start.UserAgent = r.UserAgent()
	former, err := g.formerSignIn(r, cookie, start.ClientID)
	if err != nil {
		return session.Started{}, err
	}
	if former.isOf(start.Claims) {
		start.Renews = former.session
		if former.isLive {
			now := g.Now()
			start.Claims.KeepLevels(&former.claims, began(former.session).Add(g.Lifetime), now)
		}
	}
	started, err := g.Sessions.SignIn(r.Context(), start)
	if err != nil {
		return session.Started{}, err
	}
	if start.Renews == uuid.Nil {
		if err := g.endFormer(r, former); err != nil {
			return session.Started{}, err
		}
	}
	g.signedInEvent(r, started)
	g.noteAddress(r, started.Identity)
	web.SetSession(w, r, cookie, started.Handle, at.Secure(), started.ExpiresAt.Sub(g.Now()))
	return started, nil
}

func (g *Gateway) signedInEvent(r *web.Request, s session.Started) {
	g.Logger.InfoContext(r.Context(), "signed in", "user", s.Identity.User, "provider", s.Identity.Provider,
		"client_id", s.Identity.ClientID, "session", s.Identity.SessionID.String(), "client_ip", r.ClientIP)
	g.Events(r.Context(), "login", slog.String("user", s.Identity.User), slog.String("provider", s.Identity.Provider),
		slog.String("client_id", s.Identity.ClientID), slog.String("client_ip", r.ClientIP))
}

func (g *Gateway) signInFailed(w http.ResponseWriter, r *web.Request, at web.Issuer, clientID string, c *identity.Claims, err error) {
	refused := func(reason, cure string) {
		g.Logger.WarnContext(r.Context(), "sign-in refused", "reason", reason, "client_id", clientID, "provider", c.Provider, "user", c.User, "cure", cure)
	}
	switch {
	case errors.Is(err, tokenstore.ErrSuspended):
		refused("the account is suspended", "subjects resume lets them in again")
		g.Events(r.Context(), "login_failed", slog.String("reason", "suspended"))
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title: "This account is suspended", Message: "Please ask whoever runs this site.", Detail: "access_denied",
		})
	case errors.Is(err, tokenstore.ErrExists), errors.Is(err, tokenstore.ErrRevoked):
		g.badCallback(w, r, at, "This sign-in was finished already.")
	case errors.Is(err, tokenstore.ErrInvalid):
		g.tooLarge(w, r, fmt.Errorf("user %q of provider %s: %w", c.User, c.Provider, err))
	case errors.Is(err, provider.ErrGone), errors.Is(err, session.ErrNoSession):
		refused("this configuration has no such user, or the sign-in that this one came from has ended", "if a reload removed the user, add them again")
		g.Events(r.Context(), "login_failed", slog.String("reason", "not_allowed"))
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title: "This account isn't allowed to sign in here", Message: "You signed in, but this account is no longer allowed in here.", Detail: "access_denied",
		})
	default:
		g.answers.Unavailable(w, r, err)
	}
}

// tooLarge answers somebody of whom a provider says more than a session or a
// flow holds. Trying again would change nothing.
func (g *Gateway) tooLarge(w http.ResponseWriter, r *web.Request, err error) {
	g.Logger.ErrorContext(r.Context(), "a provider says more of a user than can be kept; have it send fewer groups or claims", "error", err)
	g.Events(r.Context(), "login_failed", slog.String("reason", "too_large"))
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title:   "You cannot be signed in",
		Message: "What the service that you sign in with says of your account, such as its groups, is more than can be kept here. Please tell whoever runs this site.",
		Detail:  "too_large",
	})
}
