package flows

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// serveCallback ends a sign-in at a provider. The order is the point: first
// the state and this browser's cookie, which need no I/O; then the flow; only
// then is the code sent to the provider.
func (g *Gateway) serveCallback(w http.ResponseWriter, r *web.Request, at web.Issuer, name string) {
	ctx := r.Context()
	p, ok := g.providers[name].(provider.Redirect)
	if !ok {
		g.answers.NotFound(w, r, at)
		return
	}
	query, err := callbackQuery(r)
	if err != nil {
		g.badCallback(w, r, at, "The provider's answer cannot be read.")
		return
	}
	answer, ok := answerIn(query)
	if !ok {
		g.badCallback(w, r, at, "The provider's answer is ambiguous.")
		return
	}
	try, missing, ok := g.resume(r.Request, at, query.Get("state"), name)
	switch {
	case missing:
		g.callbackWithoutAttempt(w, r, at, try)
		return
	case !ok:
		g.badCallback(w, r, at, "This sign-in was started in another browser.")
		return
	}
	stored, err := g.Cache.Flow(ctx, flowKey(try))
	if errors.Is(err, cache.ErrUnavailable) {
		g.answers.Unfinished(w, r, err, r.URI)
		return
	}
	if errors.Is(err, cache.ErrUsed) || errors.Is(err, cache.ErrState) {
		g.finishedAlready(w, r, at, stored)
		return
	}
	switch {
	case errors.Is(err, cache.ErrExpired), errors.Is(err, cache.ErrNotFound):
		web.ClearPathCookie(w, at, try.cookie())
		g.badCallback(w, r, at, "This sign-in took longer than ten minutes and has expired.")
		return
	case err != nil:
		g.answers.Unavailable(w, r, err)
		return
	}
	flow, err := g.openFlow(stored)
	linking := flow.Request.Link != nil
	if err != nil || !flow.isOf(name) {
		g.badCallback(w, r, at, "This sign-in was started in another browser.")
		return
	}
	flow.Provider = name
	if flow.Answer != nil && answer.Code == "" && answer.Error == "" {
		answer = *flow.Answer
	}
	if linking && (answer.Code == "" || answer.Error != "") {
		g.linkRefused(w, r, at, flow, stored.Key, answer.Error)
		return
	}
	if answer.Code == "" || answer.Error != "" {
		if isExpiredThere(answer) && !flow.Request.Again {
			g.beginAgain(w, r, at, flow, stored.Key, p)
			return
		}
		g.providerRefused(w, r, at, flow, stored.Key, answer.Error)
		return
	}
	if !flow.Verified.isFor(answer.Code) {
		result, err := p.Exchange(ctx, provider.Callback{
			Code: answer.Code, Issuer: answer.Issuer, User: answer.User, Nonce: g.derive(try, "nonce"),
			Verifier: g.derive(try, "pkce verifier"), RedirectURI: flow.Callback, MaxAge: flow.Request.maxAge(),
			Prompt: flow.sentPrompt(),
			Scopes: strings.Fields(flow.Request.ProviderScope),
		})
		if err != nil && linking && !errors.Is(err, provider.ErrUnavailable) {
			g.Logger.WarnContext(ctx, "provider's answer was refused", "provider", name, "client_id", flow.Request.Client, "error", err)
			g.linkRefused(w, r, at, flow, stored.Key, "invalid_response")
			return
		}
		if err != nil {
			g.exchangeFailed(w, r, at, try, flow, stored.Key, p, err)
			return
		}
		flow.Verified = newVerified(answer.Code, result)
		flow.Verified.IDToken = g.keptIDToken(p, result)
	}
	forgetPrompt(w, r, at)
	if linking {
		g.finishLink(w, r, at, flow, stored.Key, p)
		return
	}
	claims := flow.Verified.Claims
	if !g.Admit(claims) {
		g.giveUp(r, stored.Key, flow.Request)
		g.refuse(w, r, at, flow.Request, claims)
		return
	}
	g.keepGroups(ctx, &flow.Verified.Claims)
	if !g.stepMet(w, r, at, &flow, stored.Key) {
		return
	}
	if !g.isOurs(flow.Request) && !g.recentEnough(&flow.Request, claims.AuthTime) {
		g.notSignedInAgain(w, r, at, flow, stored.Key)
		return
	}
	if g.offerLink(w, r, at, flow, stored.Key, p) {
		return
	}
	g.complete(w, r, at, try, flow)
}

// stepMet is meetsStep for a sign-in by way of a provider, which is given up if it is
// not.
func (g *Gateway) stepMet(w http.ResponseWriter, r *web.Request, at web.Issuer, flow *providerFlow, key string) bool {
	c := &flow.Verified.Claims
	g.settleTime(&flow.Request, c)
	if g.isMet(&flow.Request, c) {
		return true
	}
	g.giveUp(r, key, flow.Request)
	g.notMet(w, r, at, flow.Request, c)
	return false
}

// complete signs in, exactly once, and moves the flow on.
func (g *Gateway) complete(w http.ResponseWriter, r *web.Request, at web.Issuer, try attempt, flow providerFlow) {
	pending := try.id
	if flow.Request.forSite() {
		// The flow's id becomes the session's: the store takes it once, whatever
		// the cache has forgotten.
		flow.Verified.Session, pending = try.id, uuid.Nil
	}
	start := flow.Verified.start(g)
	start.Sought = flow.Request.sought()
	started, err := g.signIn(w, r, at, start)
	switch {
	case oautherror.IsPassing(err):
		again := g.retryURL(at, flow.Request)
		if g.keepVerified(r.Context(), flowKey(try), flow) {
			again = r.URI
		}
		g.answers.Unfinished(w, r, err, again)
		return
	case err != nil:
		g.giveUp(r, flowKey(try), flow.Request)
		g.signInFailed(w, r, at, flow.Request.Client, &flow.Verified.Claims, err)
		return
	}
	web.ClearPathCookie(w, at, try.cookie())
	g.known.RememberOnce(w, r, at, started.Identity.Subject)
	g.rememberChoice(w, r, at, flow.Provider)
	g.keepToken(r.Context(), started.Identity, flow.Verified.Token)
	if pending == uuid.Nil {
		// A reload learns from this that it is done. The session is stored, so
		// that nothing depends on it.
		_, err := g.Cache.AdvanceFlow(r.Context(), cache.Transition{
			Key: flowKey(try), From: cache.Pending, To: cache.Done, Owner: web.AddressKey(r.ClientIP),
			Note: g.noteOf(flowKey(try), flow.Request, started.Identity.Subject),
		})
		if err != nil {
			g.Logger.WarnContext(r.Context(), "the end of a sign-in could not be noted", "error", err)
		}
	}
	g.carryOn(w, r, at, flow.Request, started, pending)
}

func (g *Gateway) advanceFailed(w http.ResponseWriter, r *web.Request, at web.Issuer, err error) {
	switch {
	case errors.Is(err, cache.ErrUnavailable):
		g.answers.Unavailable(w, r, err)
	case errors.Is(err, cache.ErrFull):
		g.tooMany(w, r, err)
	case errors.Is(err, cache.ErrInvalid):
		g.tooLarge(w, r, err)
	default:
		g.badCallback(w, r, at, "This sign-in was finished already.")
	}
}

// badCallback refuses an answer, whoever sent it. If somebody is signed in
// already (an old tab, a reloaded page), the way on is the site itself.
func (g *Gateway) badCallback(w http.ResponseWriter, r *web.Request, at web.Issuer, message string) {
	g.badCallbackFor(w, r, at, message, at.Beginning())
}

// badCallbackFor is badCallback where the page that was wanted is known.
func (g *Gateway) badCallbackFor(w http.ResponseWriter, r *web.Request, at web.Issuer, message, wanted string) {
	g.Logger.InfoContext(r.Context(), "callback refused", "reason", message, "host", r.Host, "path", r.Path(), "client_ip", r.ClientIP)
	f := page.Fault{
		Title: "Please sign in again", Message: message, Detail: "invalid_request",
		RetryURL: wanted, RetryLabel: "Start again",
	}
	if id, _ := g.signedIn(r, at); id != nil {
		f.Title, f.RetryLabel, f.User = "You are signed in already", "Go on", id.User
	}
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, f)
}

// signedIn is who is signed in at a place, or nil; an error only when that
// cannot be told now. To take "cannot be told" for "nobody" would ask people
// for a password that they need not give.
func (g *Gateway) signedIn(r *web.Request, at web.Issuer) (*identity.Identity, error) {
	name, client := web.SiteCookie, at.Host
	if at.IsPortal {
		name, client = web.PortalCookie, portalClient
	}
	id, err := web.FromCookies(r.Context(), g.Sessions, r.Header, web.SessionCookieName(name, r.Secure()), client)
	if errors.Is(err, session.ErrUnavailable) {
		return nil, err
	}
	return id, nil
}

// whoIsHere is signedIn that answers 503 itself when that cannot be told.
func (g *Gateway) whoIsHere(w http.ResponseWriter, r *web.Request, at web.Issuer) (id *identity.Identity, ok bool) {
	id, err := g.signedIn(r, at)
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return nil, false
	}
	return id, true
}

// isExpiredThere reports whether a provider says no more than that its own page was
// open for too long: Keycloak sends the browser back then, and expects a new request.
func isExpiredThere(a providerAnswer) bool {
	return a.Error == "temporarily_unavailable" && a.Description == "authentication_expired"
}

// beginAgain begins the same sign-in anew, once, for a person who has done nothing
// wrong.
func (g *Gateway) beginAgain(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, key string, p provider.Redirect) {
	g.Logger.InfoContext(r.Context(), "the sign-in page of a provider has expired; beginning again", "provider", p.Name())
	g.giveUp(r, key, flow.Request)
	flow.Request.Again = true
	g.toProvider(w, r, at, flow.Request, p)
}

// providerRefused ends a sign-in that the provider, or the person there, did
// not allow. What the provider says is shown only if it is one of the words
// that the standards define. A client is told what it has to know of: that the
// person refused (RFC 6749, section 4.1.2.1). What may work at the next try is the
// person's to try again.
func (g *Gateway) providerRefused(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, key, code string) {
	g.giveUp(r, key, flow.Request)
	if p, ok := g.providers[flow.Provider].(provider.Redirect); ok && refusedOurPrompt(flow, code) {
		g.Logger.WarnContext(r.Context(), "provider refused a prompt that Gatehouse added; trying without it",
			"provider", flow.Provider, "prompt", flow.OwnPrompt, "code", outbound.Printable(code))
		flow.Request.Tried = promptRank(flow.OwnPrompt)
		g.toProvider(w, r, at, flow.Request, p)
		return
	}
	if flow.Request.Device != "" && code == "access_denied" {
		g.refuseDevice(r, at, flow.Request.Device)
	}
	if g.refusedLevel(w, r, at, flow.Request, code) {
		return
	}
	title := g.providers[flow.Provider].Title()
	message := title + " did not sign you in."
	switch code {
	case "access_denied":
		message = "The sign-in at " + title + " was cancelled or refused."
	case "temporarily_unavailable", "server_error":
		message = title + " has a problem at the moment. Please try again in a little while."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		message = title + " needs you to sign in there first."
	case "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type":
		message = title + " did not accept our request; whoever runs this site must look into its settings."
	default:
		code = "error"
	}
	g.Logger.WarnContext(r.Context(), "provider refused the sign-in", "provider", flow.Provider, "client_id", flow.Request.Client, "code", code,
		"cure", cureOf(code))
	g.Events(r.Context(), "login_failed", slog.String("provider", flow.Provider), slog.String("reason", code))
	if code == "access_denied" && !g.isOurs(flow.Request) {
		g.refuseClient(w, r, at, flow.Request, code, "the sign-in was cancelled or refused at the provider")
		return
	}
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title: "You are not signed in", Message: message, Detail: code,
		RetryURL: g.retryURL(at, flow.Request), RetryLabel: "Try again",
	})
}

// cureOf is what an operator can do where a provider refuses with a code of the
// standards, or of its own ("error").
func cureOf(code string) string {
	switch code {
	case "access_denied":
		return "the person canceled, or the provider's own rules refuse them: look there"
	case "temporarily_unavailable", "server_error":
		return "the provider has a temporary fault"
	case "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type":
		return "the provider does not accept this client's requests: compare its registration there with this block; doctor asks the provider"
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		return "the provider must be allowed to ask the person: check prompt and the client's consent there"
	}
	return "the provider's own log says why"
}

func (g *Gateway) exchangeFailed(w http.ResponseWriter, r *web.Request, at web.Issuer, try attempt, flow providerFlow, key string, p provider.Provider, err error) {
	if errors.Is(err, provider.ErrUnavailable) {
		// The code may be good still: a reload of the page tries it again.
		g.providerDown(w, r, at, flow.Request, p, err)
		return
	}
	g.giveUp(r, key, flow.Request)
	if errors.Is(err, provider.ErrReauthentication) && flow.Request.Step != nil {
		g.stepFailed(w, r, at, flow.Request, false)
		return
	}
	if errors.Is(err, provider.ErrReauthentication) && !g.isOurs(flow.Request) {
		g.notSignedInAgain(w, r, at, flow, key)
		return
	}
	g.Logger.WarnContext(r.Context(), "provider's answer was refused", "provider", p.Name(), "client_id", flow.Request.Client, "error", err,
		"cure", cureOfAnswer(err))
	g.Events(r.Context(), "login_failed", slog.String("provider", p.Name()), slog.String("reason", "invalid_response"))
	if errors.Is(err, provider.ErrWithheld) {
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title:   "You are not signed in",
			Message: p.Title() + " won't tell us who you are, so we can't sign you in. Trying again won't help. Contact the administrator of this site.",
			Detail:  "access_denied",
		})
		return
	}
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title:   "You are not signed in",
		Message: "The answer of " + p.Title() + " could not be accepted. Trying once more often helps; if it does not, tell whoever runs this site.",
		Detail:  "invalid_response", RetryURL: g.retryURL(at, flow.Request), RetryLabel: "Try again",
	})
}

// cureOfAnswer is what an operator can do where an answer of a provider is refused.
func cureOfAnswer(err error) string {
	if errors.Is(err, provider.ErrWithheld) {
		return "have the provider give this client what the error names: scopes, consent, claims or mappers, or change the option that needs it"
	}
	return "the error says what was expected; doctor asks the provider whether it fits this configuration"
}

// notSignedInAgain tells a client that asked for a new sign-in, or for a recent one,
// that the provider did not give it.
func (g *Gateway) notSignedInAgain(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, key string) {
	g.giveUp(r, key, flow.Request)
	g.Logger.WarnContext(r.Context(), "provider did not show that it signed somebody in again, or lately enough, as a client asked",
		"provider", flow.Provider, "client_id", flow.Request.Client, "prompt", flow.Request.Prompt, "max_age", flow.Request.maxAge(),
		"cure", "if the provider says no auth_time: with par, or else trust_prompt, prompt=login counts as done; max_age alone never does")
	g.Events(r.Context(), "login_failed", slog.String("provider", flow.Provider), slog.String("reason", "login_required"))
	g.refuseClient(w, r, at, flow.Request, "login_required", "the provider did not sign the person in again, or not recently enough")
}

// refuse answers somebody whom a provider vouched for and whom the provider's
// own rules here do not let in.
func (g *Gateway) refuse(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, claims identity.Claims) {
	g.logRuledOut(r.Context(), "sign-in not allowed", a.Client, &identity.Identity{Claims: claims})
	g.Events(r.Context(), "login_failed", slog.String("provider", claims.Provider), slog.String("user", claims.User), slog.String("reason", "not_allowed"))
	g.answers.LogUnread(r, "the provider's", &claims)
	a.chooseAccount()
	message := "You signed in, but this account isn't allowed in here. Try another account." + g.answers.Unverified(&claims)
	if unread := g.answers.Unread(&claims); unread != "" {
		message = "You signed in, but " + unread + ", and who is let in here may depend on that. Please tell whoever runs this site."
	}
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title:   "This account isn't allowed to sign in here",
		Message: message,
		Detail:  "access_denied", User: claims.User,
		RetryURL: g.retryURLAs(at, a), RetryLabel: "Use another account",
	})
}

// retryURLAs is retryURL that asks the provider for another account.
func (g *Gateway) retryURLAs(at web.Issuer, a authRequest) string {
	retry := g.retryURL(at, a)
	if !a.forSite() {
		return retry // the prompt is sealed in
	}
	if strings.Contains(retry, "?") {
		return retry + "&prompt=" + a.Prompt
	}
	return retry + "?prompt=" + a.Prompt
}
