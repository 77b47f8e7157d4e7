package flows

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// Challenge answers a request that needs a sign-in it does not have, in the
// caller's own terms: a navigation is sent to sign in and comes back to the
// very URL, a program gets 401 and problem+json with login_url. When err is
// [session.ErrUnavailable] the answer is 503 with Retry-After, and no cookie is
// touched: a store that is down logs nobody out.
func (g *Gateway) Challenge(w http.ResponseWriter, r *Request, err error) {
	g.LimitBody(w, r.Request)
	if errors.Is(err, session.ErrUnavailable) {
		g.unavailable(w, r, err)
		return
	}
	noStore(w)
	switch {
	case errors.Is(err, ErrTwoCredentials):
		problem(w, http.StatusBadRequest, "The request holds two credentials; send one.", nil)
		return
	case errors.Is(err, ErrBearer):
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		SetChallenges(w.Header(), scheme, resourceParameter(r), `error="invalid_token", error_description="the access token is not valid here"`)
		problem(w, http.StatusUnauthorized, "The access token is not valid here.", nil)
		return
	}
	switch callerOf(r.Request) {
	case callerNavigation:
		http.Redirect(w, r.Request, loginPath(g.returnTo(r)), http.StatusSeeOther)
	case callerHTMX:
		w.Header().Set("HX-Redirect", loginPath(refererPath(r.Header.Get("HX-Current-URL"), r.origin())))
		g.unauthorized(w, r)
	case callerGRPC:
		grpcStatus(w, "16", "sign in first")
	default:
		g.unauthorized(w, r)
	}
}

// returnTo is where a navigation comes back to: the very URL for GET and HEAD,
// else, by GET, the page that it was sent from.
func (g *Gateway) returnTo(r *Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return safeReturnTo(r.URI)
	}
	return refererPath(r.Referer(), r.origin())
}

// loginPath is the sign-in address within the site; redirects within a site are
// relative.
func loginPath(returnTo string) string {
	if returnTo == "/" {
		return Prefix + "login"
	}
	return Prefix + "login?return_to=" + url.QueryEscape(returnTo)
}

// unauthorized is 401 for programs (RFC 6750, section 3; RFC 9728,
// section 5.1). login_url returns to the page that made the call, since the
// address of the call itself is no page.
func (g *Gateway) unauthorized(w http.ResponseWriter, r *Request) {
	SetChallenges(w.Header(), "", resourceParameter(r), "")
	problem(w, http.StatusUnauthorized, "Sign in to continue.", map[string]string{
		"login_url": r.origin() + loginPath(refererPath(r.Referer(), r.origin())),
	})
}

// resourceParameter is where a client learns whom to ask for a token (RFC 9728,
// section 5.1).
func resourceParameter(r *Request) string {
	return `resource_metadata="` + r.origin() + resourceMetadataPath + `"`
}

// SetChallenges names the two ways to present an access token, as a bearer token
// (RFC 6750, section 3) and with a proof of its key (RFC 9449, section 7.1), each
// in a field of its own, which leaves nobody to tell parameters from challenges
// (RFC 9110, section 11.6.1). What is wrong is told of the scheme that was used.
// parameters and fault are lists of parameters as they are written, or "".
func SetChallenges(h http.Header, used, parameters, fault string) {
	ofBearer, ofDPoP := fault, ""
	if strings.EqualFold(used, "dpop") {
		ofBearer, ofDPoP = "", fault
	}
	algorithms := `algs="` + strings.Join(clientjwt.Algorithms(), " ") + `"`
	h["Www-Authenticate"] = []string{
		strings.TrimSuffix("Bearer "+joined(ofBearer, parameters), " "), "DPoP " + joined(algorithms, ofDPoP, parameters),
	}
}

// joined is a list of those that are not empty.
func joined(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), ", ")
}

// Forbid answers somebody who is signed in and may not enter.
func (g *Gateway) Forbid(w http.ResponseWriter, r *Request, id *identity.Identity) {
	g.LimitBody(w, r.Request)
	noStore(w)
	unread := g.unread(&id.Claims)
	switch callerOf(r.Request) {
	case callerNavigation:
		message := "Your account isn't allowed to use " + hostName(r.Host) + ". If you think it should be, contact its administrator."
		if unread != "" {
			message = "You're signed in, but " + unread + ", and the rules of " + hostName(r.Host) + " may depend on that. Contact its administrator."
			g.logUnread(r, "a guard", &id.Claims)
		}
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title:      "You don't have access",
			Message:    message,
			User:       id.User,
			SignOutURL: Prefix + "logout",
		})
	case callerGRPC:
		grpcStatus(w, "7", "not allowed")
	default:
		message := "You are signed in, but policy does not allow this."
		if unread != "" {
			message = "You are signed in, but " + unread + ", and policy may depend on that."
		}
		problem(w, http.StatusForbidden, message, nil)
	}
}

// unavailable answers while a store cannot be asked.
func (g *Gateway) unavailable(w http.ResponseWriter, r *Request, err error) {
	g.Logger.WarnContext(r.Context(), "cannot tell who is signed in", "error", err)
	noStore(w)
	w.Header().Set("Retry-After", "5")
	switch callerOf(r.Request) {
	case callerNavigation:
		g.Pages.Fault(w, r.Request, http.StatusServiceUnavailable, page.Fault{
			Title:      "Just a moment",
			Message:    "Signing in is not possible right now. You are not signed out; please try again in a few seconds.",
			Detail:     "temporarily_unavailable",
			RetryURL:   g.returnTo(r),
			RetryLabel: "Try again",
		})
	case callerGRPC:
		grpcStatus(w, "14", "temporarily unavailable")
	default:
		problem(w, http.StatusServiceUnavailable, "Signing in is not possible right now; try again in a few seconds.", nil)
	}
}

// problem writes RFC 9457 problem details.
func problem(w http.ResponseWriter, status int, detail string, more map[string]string) {
	body := map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	}
	for k, v := range more {
		body[k] = v
	}
	noStore(w)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// grpcStatus is a trailers-only answer: gRPC reads its status from a 200.
func grpcStatus(w http.ResponseWriter, code, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", code)
	h.Set("Grpc-Message", message)
	w.WriteHeader(http.StatusOK)
}

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
