package flows

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Who is to prove more at a site is asked at the provider that they came by, by
// acr_values and max_age, and once more by prompt=login if it answers without a
// question. What it says then is held against what was asked. A sign-in that does not
// meet it, or is somebody else's, ends on a page and changes nothing: to lead back to
// the site would lead here again.

// unmet is the error of a client whose acr_values cannot be met (OpenID Connect Core
// Error Code unmet_authentication_requirements; RFC 9470, section 5).
const unmet = "unmet_authentication_requirements"

// takeStep reads the step of a link of ours. One that is too old or of another place
// asks for nothing: the place asks anew.
func (g *Gateway) takeStep(a *authRequest, sealed string) {
	if sealed == "" {
		return
	}
	step, err := stepup.Open(g.Keyring, a.Client, sealed, g.Now())
	if err != nil {
		return
	}
	a.Step, a.sealedStep = step, sealed
	a.ACRValues = strings.Join(step.ACR, " ")
	if step.MaxAge > 0 {
		a.MaxAge = int(min(step.MaxAge, longestMaxAge)) + 1
	}
	a.Pick = ""
	g.pick(a, step.Provider)
}

// necessary are the classes of which a request demands one. Those that a client names
// are wishes (OpenID Connect Core, section 3.1.2.1), unless it says that they are essential
// (section 5.5.1.1), or a place of this gateway demands one of them: then its answer is
// what they were taken from (RFC 9470, section 5).
func (g *Gateway) necessary(a *authRequest) []string {
	if a.Step != nil {
		return a.Step.ACR
	}
	asked := strings.Fields(a.ACRValues)
	if a.ACREssential || slices.ContainsFunc(asked, func(acr string) bool { return slices.Contains(g.ACRValues, acr) }) {
		return asked
	}
	return nil
}

// provedEnough reports whether somebody who is signed in need not be asked again.
func (g *Gateway) provedEnough(a *authRequest, c *identity.Claims) bool {
	if a.Step != nil && !a.Step.IsOf(c) {
		return false
	}
	at, ok := c.Proved(g.necessary(a), g.Now())
	return ok && (a.MaxAge == 0 || stepup.IsWithin(at, g.Now(), a.maxAge()))
}

// settleTime makes the time of a sign-in one of our own clock, where the provider's is
// off by less than a minute: somebody who was asked just now has not proved it before.
func (g *Gateway) settleTime(a *authRequest, c *identity.Claims) {
	if a.Step == nil || c.AuthTime.IsZero() {
		return
	}
	begun, now := time.Unix(a.Begun, 0), g.Now()
	if c.AuthTime.Before(begun) && !c.AuthTime.Before(begun.Add(-providerSkew)) {
		c.AuthTime = begun
	}
	if c.AuthTime.After(now) {
		c.AuthTime = now
	}
}

// isMet reports whether a sign-in that has just been made is what it was to be.
func (g *Gateway) isMet(a *authRequest, c *identity.Claims) bool {
	if a.Step != nil {
		return a.Step.IsOf(c) && a.Step.Requirement().IsMet(c, g.Now())
	}
	acr := g.necessary(a)
	return acr == nil || slices.Contains(acr, c.ACR)
}

// notMet answers where it is not.
func (g *Gateway) notMet(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, c *identity.Claims) {
	switch {
	case a.Step == nil:
		g.unmetForClient(w, r, at, a, c.Provider)
	case !a.Step.IsOf(c):
		g.somebodyElse(w, r, at, a, c)
	default:
		// A time that settleTime moved may be that of a sign-in shortly before, about which
		// nobody was asked now.
		g.stepFailed(w, r, at, a, c.AuthTime.After(time.Unix(a.Begun, 0)))
	}
}

// refusedLevel answers where a provider says that it cannot do what was asked.
func (g *Gateway) refusedLevel(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, code string) bool {
	switch {
	case code != unmet:
		return false
	case a.Step != nil:
		g.unmetPage(w, r, at, a)
	case g.isOurs(a):
		return false
	default:
		g.unmetForClient(w, r, at, a, a.Provider)
	}
	return true
}

// stepFailed has a provider that did not do what it was asked to asked once more by
// prompt=login, unless it has just asked the person; else it ends on a page.
func (g *Gateway) stepFailed(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, asked bool) {
	p, ok := g.providers[a.Step.Provider].(provider.Redirect)
	if !ok || asked || a.Step.Again {
		g.unmetPage(w, r, at, a)
		return
	}
	step := *a.Step
	step.Again = true
	a.Step, a.Prompt, a.Own, a.Begun = &step, "login", false, g.Now().Unix()
	g.toProvider(w, r, at, a, p)
}

// asksPassword reports whether people sign in at a provider by a password that is
// checked here.
func (g *Gateway) asksPassword(name string) bool {
	_, ok := g.providers[name].(provider.Password)
	return ok
}

// unmetPage tells a person that the provider did not do what a place demands.
func (g *Gateway) unmetPage(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest) {
	name := a.Step.Provider
	g.Logger.WarnContext(r.Context(), "a provider did not meet what a site requires", "provider", name, "client_id", a.Client,
		"acr_values", a.Step.ACR, "max_age", a.Step.MaxAge,
		"cure", "the provider must send acr and auth_time in its ID token, and honor max_age or prompt=login; otherwise remove require from the site")
	g.Events(r.Context(), "login_failed", slog.String("provider", name), slog.String("reason", unmet))
	what := "a recent sign-in"
	if len(a.Step.ACR) > 0 {
		what = "a stronger sign-in"
	}
	title := name
	if p := g.providers[name]; p != nil {
		title = p.Title()
	}
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title: "This page needs " + what,
		Message: g.clientTitle(at, a.Client) + " asks for " + what + " here, and " + title + " didn't give us one. " +
			"You're still signed in as before. If trying again doesn't help, contact the administrator of this site.",
		Detail: unmet, RetryURL: g.retryStep(at, a), RetryLabel: "Try again",
	})
}

// unmetForClient tells a client that its acr_values cannot be met.
func (g *Gateway) unmetForClient(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, name string) {
	g.Events(r.Context(), "login_failed", slog.String("provider", name), slog.String("reason", unmet))
	g.refuseClient(w, r, at, a, unmet, "the person could not be signed in by any of the acr_values")
}

// somebodyElse answers a person who came back as another than they are here. Nothing has
// changed: who wants to be another signs out first.
func (g *Gateway) somebodyElse(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, c *identity.Claims) {
	g.Logger.WarnContext(r.Context(), "somebody else signed in where the same person had to authenticate again", "provider", c.Provider, "user", c.User, "client_id", a.Client)
	g.Events(r.Context(), "login_failed", slog.String("provider", c.Provider), slog.String("user", c.User), slog.String("reason", "other_subject"))
	again := a
	again.chooseAccount()
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title: "That's another account",
		Message: g.clientTitle(at, a.Client) + " asked you to sign in once more, with the account that you use there. You came back with another one (" + c.User + "), so nothing has changed. " +
			"To use this account instead, sign out first.",
		Detail: "access_denied", RetryURL: g.retryStep(at, again), RetryLabel: "Sign in with the same account", SignOutURL: at.Path + "logout",
	})
}

// retryStep begins the same step anew.
func (g *Gateway) retryStep(at web.Issuer, a authRequest) string {
	step := *a.Step
	step.Again, step.At = false, g.Now().Unix()
	a.Step, a.Begun = &step, g.Now().Unix()
	if !a.Own {
		a.Prompt = ""
	}
	if !a.forSite() {
		return g.retryURL(at, a) // the prompt is sealed in
	}
	retry := web.StepUpPath(a.ReturnTo, step.Seal(g.Keyring, a.Client))
	if a.Prompt != "" {
		retry += "&prompt=" + a.Prompt
	}
	return retry
}
