package flows

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// providerFlow is what is stored while somebody signs in at a provider.
type providerFlow struct {
	Request  authRequest `json:"r"`
	Provider string      `json:"p"`
	Callback string      `json:"u"`
	// OwnPrompt is the prompt that was sent of our own accord, or "".
	OwnPrompt string `json:"o,omitempty"`
	// Answer that the provider had posted.
	Answer *providerAnswer `json:"n,omitempty"`
	// Verified is what the provider said, where the sign-in could not be finished.
	Verified *verified `json:"v,omitempty"`
}

// sentPrompt is the prompt that the provider was asked for.
func (f *providerFlow) sentPrompt() string {
	if f.OwnPrompt != "" {
		return f.OwnPrompt
	}
	return f.Request.providerPrompt()
}

func flowKey(a attempt) string { return "flow:" + a.id.String() }

// toProvider sends the browser to a provider: the one step of a sign-in that
// writes a flow.
func (g *Gateway) toProvider(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, p provider.Redirect) {
	ctx := r.Context()
	try := g.newAttempt()
	a.Tried = max(a.Tried, g.triedPrompt(r, at, p))
	g.addGranted(r, at, &a, p.Name())
	location, own, ok, err := g.beginURL(ctx, at, &a, p, try)
	if !ok && a.Link != nil {
		// The provider lets nobody choose; the page has named the account that it is for.
		a.Prompt, a.Own = "", false
		location, own, ok, err = g.beginURL(ctx, at, &a, p, try)
	}
	switch {
	case !ok:
		g.withoutChoice(w, r, at, a, p)
		return
	case errors.Is(err, provider.ErrReauthentication) && a.Step != nil:
		g.unmetPage(w, r, at, a)
		return
	case errors.Is(err, provider.ErrReauthentication):
		g.refuseClient(w, r, at, a, "login_required", "the provider "+p.Name()+" neither signs anybody in again nor tells when it did")
		return
	case err != nil:
		g.providerDown(w, r, at, a, p, err)
		return
	}
	if !g.answers.MayBegin(w, r, false) {
		return
	}
	flow := providerFlow{Request: a, Provider: p.Name(), Callback: callbackURL(at, p), OwnPrompt: own}
	if a.Link != nil {
		flow.Provider = linkFlow(p.Name())
	}
	key := flowKey(try)
	err = g.startFlowOf(ctx, cache.NewFlow{
		Key: key, State: cache.Pending, Value: sealed.Seal(g.Keyring, "flow", []byte(key), flow),
		Validity: web.FlowValidity, Owner: web.AddressKey(r.ClientIP),
	}, g.known.Person(r, at))
	if err != nil {
		g.notBegun(w, r, err)
		return
	}
	setAttempt(w, r.Request, at, try)
	g.rememberPrompt(w, r, at, p, own)
	web.RedirectExternal(w, location)
}

// beginURL is where an attempt to sign in begins, and the prompt that is sent of our
// own accord, or "". ok is false where the person is to be asked by a page first.
func (g *Gateway) beginURL(ctx context.Context, at web.Issuer, a *authRequest, p provider.Redirect, try attempt) (location, own string, ok bool, err error) {
	for {
		prompt, isOwn, ok := g.nextPrompt(ctx, a, p)
		if !ok {
			return "", "", false, nil
		}
		if own = ""; isOwn {
			own = prompt
		}
		location, err := g.authURL(ctx, at, *a, p, try, prompt)
		switch {
		case !errors.Is(err, provider.ErrReauthentication):
			return location, own, true, err
		case isOwn:
			a.Tried = promptRank(prompt)
		case g.isOurs(*a) && a.Step == nil:
			// No claim is made to anybody; choosing the account is the most that
			// such a provider does.
			a.Prompt, a.Own, a.MaxAge = "select_account", true, 0
		default:
			return "", "", true, err
		}
	}
}

func (g *Gateway) authURL(ctx context.Context, at web.Issuer, a authRequest, p provider.Redirect, try attempt, prompt string) (string, error) {
	return p.AuthURL(ctx, provider.AuthRequest{
		State: g.state(try, p.Name()), Nonce: g.derive(try, "nonce"), Verifier: g.derive(try, "pkce verifier"),
		RedirectURI: callbackURL(at, p), Prompt: prompt, LoginHint: a.LoginHint, ACRValues: a.ACRValues, MaxAge: a.maxAge(),
		Scopes: strings.Fields(a.ProviderScope),
	})
}

func callbackURL(at web.Issuer, p provider.Redirect) string { return at.URL("callback/" + p.Name()) }

// isOurs reports whether a sign-in is for a guarded site, or for our own page about a
// device, and not for a client that relies on what it is told of the sign-in.
func (g *Gateway) isOurs(a authRequest) bool {
	return a.RedirectURI == "" || g.isSite(a.Client, a.RedirectURI)
}

// openFlow reads a stored sign-in.
func (g *Gateway) openFlow(f cache.Flow) (providerFlow, error) {
	return sealed.Open[providerFlow](g.Keyring, "flow", []byte(f.Key), f.Value)
}

// providerDown answers while a provider cannot be asked. What no waiting mends is told
// apart, and for whom it is to mend.
func (g *Gateway) providerDown(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, p provider.Provider, err error) {
	if errors.Is(err, provider.ErrMisconfigured) {
		g.Logger.ErrorContext(r.Context(), "provider and configuration do not fit, and nobody can sign in until that is mended", "provider", p.Name(), "client_id", a.Client, "error", err)
		g.Pages.Fault(w, r.Request, http.StatusBadGateway, page.Fault{
			Title:   "Signing in with " + p.Title() + " isn't set up correctly",
			Message: "Trying again won't help. Contact the administrator of this site.",
			Detail:  "misconfigured",
		})
		return
	}
	g.Logger.WarnContext(r.Context(), "provider is unavailable", "provider", p.Name(), "client_id", a.Client, "error", err)
	w.Header().Set("Retry-After", "10")
	g.Pages.Fault(w, r.Request, http.StatusBadGateway, page.Fault{
		Title:   p.Title() + " does not answer",
		Message: "The service that you sign in with cannot be reached at the moment. Please try again in a little while.",
		Detail:  "temporarily_unavailable", RetryURL: g.retryURL(at, a), RetryLabel: "Try again",
	})
}

// tooMany answers when a cap on unfinished sign-ins was reached.
func (g *Gateway) tooMany(w http.ResponseWriter, r *web.Request, err error) {
	message := "Very many people are signing in right now. Please try again in a few minutes."
	status := http.StatusServiceUnavailable
	var full *cache.FullError
	if errors.As(err, &full) && full.Cap == "owner" {
		message = "Too many sign-ins were begun from your network and not finished. Please try again in a few minutes."
		status = http.StatusTooManyRequests
	}
	g.Logger.WarnContext(r.Context(), "sign-in refused", "error", err, "client_ip", r.ClientIP,
		"cure", "if many people share that address, or it is a proxy's, have the proxy pass on theirs: trusted_proxies")
	w.Header().Set("Retry-After", "60")
	g.Pages.Fault(w, r.Request, status, page.Fault{
		Title: "Too many sign-ins", Message: message, Detail: "temporarily_unavailable",
	})
}

// retryURL begins the same sign-in anew.
func (g *Gateway) retryURL(at web.Issuer, a authRequest) string {
	if a.Link != nil {
		return at.Path
	}
	if a.forSite() && !at.IsPortal {
		return web.PickedLoginPath(a.ReturnTo, a.Pick)
	}
	return g.signInAt(at, a)
}
