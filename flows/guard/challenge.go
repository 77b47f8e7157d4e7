package guard

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Challenge answers a request that needs a sign-in it does not have, in the
// caller's own terms: a navigation is sent to sign in and comes back to the
// very URL, a program gets 401 and problem+json with login_url. When err is
// [session.ErrUnavailable] the answer is 503 with Retry-After, and no cookie is
// touched: a store that is down logs nobody out.
func (g *Guard) Challenge(w http.ResponseWriter, r *web.Request, err error) {
	web.LimitBody(w, r.Request, g.BodyTimeout)
	if errors.Is(err, session.ErrUnavailable) {
		g.Answers.Unavailable(w, r, err)
		return
	}
	web.NoStore(w)
	switch {
	case errors.Is(err, accesstoken.ErrTwoCredentials):
		g.logRefusal(r, "a guard refused two credentials", "cure", "the program must send a cookie of ours or a token of ours, and one of them once")
		web.Problem(w, http.StatusBadRequest, "The request holds two credentials; send one.", nil)
		return
	case errors.Is(err, ErrToken):
		scheme := schemeOfToken(r.Header)
		reason := "the access token is not valid here"
		cure := "a program gets another token from the issuer; one that is new must be of this site's issuer"
		var whose []any
		if elsewhere := (*audienceError)(nil); errors.As(err, &elsewhere) {
			reason = elsewhere.Error()
			cure = "have the program ask for this site by resource, or write audience or resources in its client's block"
			whose = []any{"client_id", elsewhere.client, "user", elsewhere.user}
		}
		g.logRefusal(r, "a guard refused an access token", append(whose, "reason", err, "cure", cure)...)
		web.SetChallenges(w.Header(), scheme, parameters(r), `error="invalid_token", error_description="`+reason+`"`)
		if strings.EqualFold(scheme, "basic") {
			web.AskBasic(w.Header(), r) // the client asks its user for another password
		}
		web.Problem(w, http.StatusUnauthorized, strings.ToUpper(reason[:1])+reason[1:]+".", nil)
		return
	}
	if r.Header.Get("Service-Worker") == "script" {
		endServiceWorker(w)
		return
	}
	switch web.CallerOf(r.Request) {
	case web.CallerNavigation:
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			g.notSaved(w, r)
			return
		}
		if len(r.URI) > web.MaxReturnTo {
			g.cannotReturn(w, r)
			return
		}
		http.Redirect(w, r.Request, web.PickedLoginPath(r.ReturnTo(), r.Pick), http.StatusSeeOther)
	case web.CallerHTMX:
		w.Header().Set("HX-Redirect", web.PickedLoginPath(web.RefererPath(r.Header.Get("HX-Current-URL"), r.Origin()), r.Pick))
		web.Unauthorized(w, r)
	case web.CallerGRPC:
		web.GRPCStatus(w, "16", "sign in first")
	default:
		web.Unauthorized(w, r)
	}
}

// logRefusal says at which site and path something was refused.
func (g *Guard) logRefusal(r *web.Request, message string, more ...any) {
	g.Logger.InfoContext(r.Context(), message, append([]any{"host", r.Host, "path", r.Path(), "client_ip", r.ClientIP}, more...)...)
}

// notSaved answers a form that was sent when its session was over. It is a page of the
// site's own: an application whose policy says form-action 'self' would have the browser
// do nothing at a redirect to another origin, without a word.
func (g *Guard) notSaved(w http.ResponseWriter, r *web.Request) {
	to := web.PickedLoginPath(r.ReturnTo(), r.Pick)
	web.SetChallenges(w.Header(), "", parameters(r), "")
	w.Header().Set("Refresh", "20; url="+to)
	g.Pages.Fault(w, r.Request, http.StatusUnauthorized, page.Fault{
		Title:    "Sign in first",
		Message:  "What you sent was not saved, because you aren't signed in any more. Sign in, and send it again. You'll be taken to the sign-in page in a moment.",
		RetryURL: to, RetryLabel: "Sign in",
	})
}

// serviceWorkerEnd is a service worker that removes itself, and shows the pages of the
// one in whose place it comes anew.
const serviceWorkerEnd = `self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
	await self.registration.unregister();
	for (const page of await self.clients.matchAll({ type: "window" })) {
		page.navigate(page.url).catch(() => {});
	}
})()));
`

// endServiceWorker answers a browser that looks for a newer version of a service worker
// when nobody is signed in. The one that it has would go on to show what it kept, and
// hide the sign-in.
func endServiceWorker(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, serviceWorkerEnd)
}

// parameters are those of a challenge to fetch another token.
func parameters(r *web.Request) string {
	if scope := web.ScopeParameter(r); scope != "" {
		return web.ResourceParameter(r) + ", " + scope
	}
	return web.ResourceParameter(r)
}

// schemeOfToken is the scheme that a request brought its token by.
func schemeOfToken(h http.Header) string {
	value := h.Get(accesstoken.OwnHeader)
	if value == "" {
		value = h.Get("Authorization")
	}
	scheme, _, _ := strings.Cut(value, " ")
	return scheme
}

// cannotReturn answers a navigation to an address that is too long to come back to.
func (g *Guard) cannotReturn(w http.ResponseWriter, r *web.Request) {
	g.Logger.InfoContext(r.Context(), "an address is too long to return to after the sign-in", "host", r.Host, "bytes", len(r.URI), "longest", web.MaxReturnTo)
	g.Pages.Fault(w, r.Request, http.StatusRequestURITooLong, page.Fault{
		Title:    "Sign in first",
		Message:  "This address is too long to come back to after signing in. Sign in now, and then open it once more.",
		Detail:   "address_too_long",
		RetryURL: web.PickedLoginPath("/", r.Pick), RetryLabel: "Sign in",
	})
}

// Forbid answers somebody who is signed in and may not enter.
func (g *Guard) Forbid(w http.ResponseWriter, r *web.Request, id *identity.Identity) {
	web.LimitBody(w, r.Request, g.BodyTimeout)
	web.NoStore(w)
	unread := g.Answers.Unread(&id.Claims)
	switch web.CallerOf(r.Request) {
	case web.CallerNavigation:
		message := "Your account isn't allowed to use " + web.HostName(r.Host) + ". If you think it should be, contact its administrator." + g.Answers.Unverified(&id.Claims)
		if unread != "" {
			message = "You're signed in, but " + unread + ", and the rules of " + web.HostName(r.Host) + " may depend on that. Contact its administrator."
			g.Answers.LogUnread(r, "a guard", &id.Claims)
		}
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title:      "You don't have access",
			Message:    message,
			User:       id.User,
			SignOutURL: web.Prefix + "logout",
		})
	case web.CallerGRPC:
		web.GRPCStatus(w, "7", "not allowed")
	default:
		message := "You are signed in, but policy does not allow this."
		if unread != "" {
			message = "You are signed in, but " + unread + ", and policy may depend on that."
		}
		web.Problem(w, http.StatusForbidden, message, nil)
	}
}
