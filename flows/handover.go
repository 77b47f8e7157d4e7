package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// toPortal sends the browser from a site to the portal. Nothing is stored, unless the
// return address is long: it travels sealed in the state, bound to this browser's
// cookie.
func (g *Gateway) toPortal(w http.ResponseWriter, r *web.Request, a authRequest) {
	at := r.SiteIssuer()
	if g.portal.Secure() && !r.Secure() && g.plainSite(a.Client, at.URL("callback")) != "" && !g.isSite(a.Client, at.URL("callback")) {
		g.wrongScheme(w, r, false) // the portal hands over by https only
		return
	}
	if !g.answers.MayBegin(w, r, len(a.ReturnTo) <= maxReturnInState) {
		return
	}
	try := g.newAttempt()
	state, err := g.handoverState(r, at, try, a.ReturnTo)
	if err != nil {
		g.notBegun(w, r, err)
		return
	}
	setAttempt(w, r.Request, at, try)
	query := url.Values{
		"response_type": {"code"}, "client_id": {a.Client}, "redirect_uri": {at.URL("callback")}, "scope": {"openid"},
		"state": {state}, "code_challenge": {client.ChallengeS256(g.derive(try, "pkce verifier"))}, "code_challenge_method": {"S256"},
	}
	if a.Prompt != "" {
		query.Set("prompt", a.Prompt)
	}
	if a.Provider != "" {
		query.Set("provider", a.Provider)
		if a.ProviderScope != "" {
			query.Set("provider_scope", a.ProviderScope)
		}
	}
	if a.Pick != "" {
		query.Set("pick", a.Pick)
	}
	if a.sealedStep != "" {
		query.Set("step", a.sealedStep)
	}
	web.NoStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", g.portal.URL("authorize")+"?"+query.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

func handoverAAD(at web.Issuer, try attempt) []byte {
	return append(append([]byte(at.ID()), 0), try.secret...)
}

// sendCode gives the client its authorization code. The flow began with the
// sign-in (pending, of that id) or begins now, READY, with an id of its own.
func (g *Gateway) sendCode(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, who *identity.Identity, pending uuid.UUID) {
	id := pending
	if id == uuid.Nil && web.Fetched(r.Request) {
		web.Problem(w, http.StatusForbidden, "Open this address in a browser; it can't be fetched.", nil)
		return
	}
	if id == uuid.Nil {
		id = handle.NewID(g.Now(), g.Random)
	}
	secret := g.Keyring.Random(32)
	key := authcode.Key(id)
	stands := authcode.Grant{
		Subject: who.Subject, Portal: who.SessionID, Client: a.Client, Scope: strings.Fields(a.Scope),
		Resource: a.Resource, Nonce: a.Nonce, Claims: who.Claims,
	}
	g.Keep(who.Provider).Apply(&stands.Claims)
	if !g.isSite(a.Client, a.RedirectURI) {
		stands.Claims.SetLevel(g.necessary(&a), g.Now())
	}
	if who.SoughtKnown {
		stands.Sought = &who.Sought
	}
	value := g.codes.Seal(key, stands)
	redirectURI := a.RedirectURI
	if a.Implied {
		redirectURI = ""
	}
	proof := authcode.Proof(secret, at.ID(), a.Client, redirectURI, a.Challenge, a.JKT)
	var err error
	if pending != uuid.Nil {
		_, err = g.Cache.AdvanceFlow(r.Context(), cache.Transition{
			Key: key, From: cache.Pending, To: cache.Ready, Value: value, Proof: proof, Validity: codeValidity,
			Note: g.noteOf(key, a, who.Subject),
		})
	} else {
		err = g.startFlowOf(r.Context(), cache.NewFlow{
			Key: key, State: cache.Ready, Value: value, Proof: proof, Validity: codeValidity, Owner: web.AddressKey(r.ClientIP),
		}, who.Subject)
	}
	if errors.Is(err, cache.ErrUnavailable) {
		g.interrupted(w, r, at, a, pending, err)
		return
	}
	if err != nil {
		g.advanceFailed(w, r, at, err)
		return
	}
	query := url.Values{"code": {handle.MintCode(id, secret)}, "iss": {at.ID()}}
	if a.State != "" {
		query.Set("state", a.State)
	}
	g.toClient(w, r, at, a, query)
}

// toClient sends the browser back to the client with an answer.
func (g *Gateway) toClient(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, answer url.Values) {
	site := g.clientTitle(at, a.Client)
	switch a.Mode {
	case client.ModeFormPost:
		g.Pages.FormPost(w, r.Request, http.StatusOK, page.FormPost{Site: site, URL: a.RedirectURI, Answer: answer})
	case client.ModeFragment:
		web.RedirectExternal(w, a.RedirectURI+"#"+answer.Encode())
	default:
		web.RedirectExternal(w, web.AnswerURL(a.RedirectURI, answer))
	}
}

// serveHandover is the site's end of the hand-over: …/callback?code=…&state=….
func (g *Gateway) serveHandover(w http.ResponseWriter, r *web.Request) {
	at := r.SiteIssuer()
	query, err := callbackQuery(r)
	if err != nil {
		g.badCallback(w, r, at, "The portal's answer cannot be read.")
		return
	}
	if web.Repeated(query, callbackParameters...) != "" || (query.Has("code") && query.Has("error")) {
		g.badCallback(w, r, at, "The portal's answer is ambiguous.")
		return
	}
	try, returnTo, fault, err := g.resumeHandover(r, at, query.Get("state"))
	switch {
	case err != nil:
		g.answers.Unfinished(w, r, err, r.URI)
		return
	case fault == web.FormNoCookie:
		g.withoutAttempt(w, r, at, try)
		return
	case fault != web.FormFine, g.age(try) > web.FlowValidity:
		g.badCallback(w, r, at, "This sign-in was started in another browser, or it has expired.")
		return
	case query.Get("iss") != g.portal.ID():
		g.badCallback(w, r, at, "This answer does not come from our portal.")
		return
	}
	if g.isFinished(r, at, try) {
		id, ok := g.whoIsHere(w, r, at)
		if !ok {
			return
		}
		if id != nil {
			web.SeeOther(w, r, returnTo)
			return
		}
	}
	if query.Has("error") {
		web.ClearPathCookie(w, at, try.cookie())
		g.badCallbackFor(w, r, at, "The portal did not sign you in.", returnTo)
		return
	}
	g.redeemHandover(w, r, at, try, query.Get("code"), returnTo)
}

// redeemHandover turns the code into a session: one round trip to the cache,
// one to the store. The attempt is over for the browser unless it is told to try
// again.
func (g *Gateway) redeemHandover(w http.ResponseWriter, r *web.Request, at web.Issuer, try attempt, code, returnTo string) {
	ctx := r.Context()
	id, secret, err := handle.ParseCode(code)
	if err != nil {
		web.ClearPathCookie(w, at, try.cookie())
		g.badCallbackFor(w, r, at, "The portal's code is malformed.", returnTo)
		return
	}
	t, leave := g.codes.Begin(id, authcode.Key(id), g.Now())
	defer leave()
	host := web.ClientOf(r.Host)
	var proofs [][]byte // one for each key that the attempt may have been begun under
	for try.key = range g.Keyring.KeyIDs() {
		proofs = append(proofs, authcode.Proof(secret, g.portal.ID(), host, at.URL("callback"), client.ChallengeS256(g.derive(try, "pkce verifier")), ""))
	}
	started, err := g.sessionOf(ctx, t, host, r.UserAgent(), proofs, web.AddressKey(r.ClientIP))
	if errors.Is(err, tokenstore.ErrExists) || errors.Is(err, cache.ErrUsed) {
		// Presented twice with everything right: one of the two is a thief.
		if _, outage := t.Replayed(ctx); outage != nil {
			err = outage
		}
	}
	if oautherror.IsPassing(err) {
		g.answers.Unfinished(w, r, err, r.URI)
		return
	}
	web.ClearPathCookie(w, at, try.cookie())
	switch {
	case errors.Is(err, tokenstore.ErrExists), errors.Is(err, cache.ErrUsed):
		g.badCallbackFor(w, r, at, "This sign-in is already finished.", returnTo)
		return
	case errors.Is(err, errFlow):
		g.badCallbackFor(w, r, at, "This sign-in has expired.", returnTo)
		return
	case err != nil:
		h, _ := t.Grant() // what is known of who it is
		g.signInFailed(w, r, at, host, &h.Claims, err)
		return
	}
	g.signedInEvent(r, started)
	web.SetSession(w, r, web.SiteCookie, started.Handle, at.Secure(), started.ExpiresAt.Sub(g.Now()))
	web.ClearPathCookie(w, at, web.LeftCookie)
	g.finishHandover(w, r, at, try, returnTo)
	web.SeeOther(w, r, returnTo)
}

// errFlow: a hand-over's code is unknown, expired, or cannot be read any more.
var errFlow = errors.New("the handover is no longer valid")

// sessionOf makes the session that a hand-over's code stands for.
func (g *Gateway) sessionOf(ctx context.Context, t *authcode.Redemption, host, userAgent string, proofs [][]byte, owner string) (session.Started, error) {
	err := t.Redeem(ctx, proofs, owner)
	switch {
	case errors.Is(err, cache.ErrUsed), oautherror.IsPassing(err):
		return session.Started{}, err
	case err != nil:
		return session.Started{}, fmt.Errorf("%w: %w", errFlow, err)
	}
	h, err := t.Grant()
	if err != nil || h.Client != host {
		return session.Started{}, errFlow
	}
	start := session.Start{Parent: h.Portal, Subject: h.Subject, ClientID: host, Claims: h.Claims, UserAgent: userAgent, Sought: h.Sought}
	t.Fill(&start)
	started, err := g.Sessions.Handover(ctx, start)
	if oautherror.IsPassing(err) {
		t.GiveBack(ctx)
	}
	return started, err
}
