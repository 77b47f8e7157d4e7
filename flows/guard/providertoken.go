package guard

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ErrNoPerson: an access token without a session stands for a program, which
// signs in at no provider.
var ErrNoPerson = errors.New("no person has signed in")

// ProviderToken returns a fresh access token that a provider gave for somebody,
// to be passed upstream, and that covers the scopes. One that was passed on before
// costs no I/O. It is a secret.
//
// Errors are to be given to [Guard.ChallengeProvider].
func (g *Guard) ProviderToken(ctx context.Context, id *identity.Identity, name string, scope ...string) (vault.Access, error) {
	switch {
	case g.Vault == nil:
		return vault.Access{}, vault.ErrProvider
	case id.SessionID == uuid.Nil:
		return vault.Access{}, ErrNoPerson
	}
	return g.Vault.Use(ctx, id.Subject, name, scope...)
}

// serviceToken returns an access token that a provider issued for this gateway itself,
// to be passed upstream whoever came. It is a secret.
func (g *Guard) serviceToken(ctx context.Context, name string, scope []string) (vault.Access, error) {
	p := g.Providers[name]
	if p == nil || g.Services == nil {
		return vault.Access{}, vault.ErrProvider
	}
	return g.Services.Use(ctx, p, scope...)
}

// serviceTokenAway answers a request while there is no service token.
func (g *Guard) serviceTokenAway(w http.ResponseWriter, r *web.Request, name string, err error) {
	web.NoStore(w)
	g.Logger.ErrorContext(r.Context(), "no service token of the provider; its client must be allowed the grant client_credentials", "provider", name, "error", err)
	g.providerTokenAway(w, r, name, err)
}

// DoubtProviderToken is told that the upstream answered 401 to a request with an
// endless token of [Guard.ProviderToken]. An error, for
// [Guard.ChallengeProvider], means that there is to be another; see
// [vault.Vault.Doubted].
func (g *Guard) DoubtProviderToken(ctx context.Context, id *identity.Identity, name, token string) error {
	return g.Vault.Doubted(ctx, id.Subject, name, token, id.Claims)
}

// ProviderTokenIsAway reports whether an error of [Guard.ProviderToken] means
// that there is no token now, and not that the person has to do something.
func ProviderTokenIsAway(err error) bool {
	return errors.Is(err, provider.ErrUnavailable) || errors.Is(err, tokenstore.ErrUnavailable) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// ChallengeProvider answers a request of somebody who is signed in, but of whom
// there is no token of a provider to pass upstream.
//
// While the provider or the token store is away, that is 503 with Retry-After: the
// person can do nothing, and a sign-in would fail as well. Else there is none, it was
// refused for good, or it covers less than the scopes, and only the person can change
// that. Who came by that very provider is sent to sign in there and comes back to the
// very URL, once; whoever has just been there for it sees a page that says what is
// missing, never a second redirect. Who came by another one sees a page that leads to
// where the provider is linked, and back: nobody becomes somebody else by the way.
//
// A program gets 403 with link_url, where the person can do that, and where the person
// has just been there 403 without, and the log says what to mend. Only of a token that
// has expired as it was to, its answer is 401 with login_url (RFC 9470, section 3). A
// program without a user gets 403.
func (g *Guard) ChallengeProvider(w http.ResponseWriter, r *web.Request, id *identity.Identity, name string, err error, scope ...string) {
	web.NoStore(w)
	switch {
	case errors.Is(err, ErrNoPerson):
		g.logRefusal(r, "a guard refused a program where a person's token of a provider is passed on", "client_id", id.ClientID, "provider", name,
			"cure", "have people sign in, or write provider_token "+name+" service")
		web.Problem(w, http.StatusForbidden, "This is for people who have signed in; a program of its own cannot use it.", nil)
		return
	case ProviderTokenIsAway(err):
		g.Logger.WarnContext(r.Context(), "no provider token now", "provider", name, "user", id.User, "error", err)
		g.providerTokenAway(w, r, name, err)
		return
	}
	want := wanted{provider: name, scope: strings.Join(scope, " "), own: id.Provider == name, lapsed: errors.Is(err, vault.ErrLapsed)}
	if g.wasJustAt(id, name, scope) && !gotOne(id, err) {
		g.Logger.ErrorContext(r.Context(), "the user has just signed in at the provider for its token, and there is still none that can be used: "+
			"have the provider give this client tokens (scope offline_access, consent, a grant for refresh tokens), or remove provider_token from the site",
			"provider", name, "user", id.User, "error", err)
		g.providerTokenMissing(w, r, id, want)
		return
	}
	g.Logger.InfoContext(r.Context(), "no provider token; the user must sign in there", "provider", name, "user", id.User, "host", r.Host, "error", err)
	switch web.CallerOf(r.Request) {
	case web.CallerNavigation:
		if !want.own {
			g.connectPage(w, r, id, want)
			return
		}
		http.Redirect(w, r.Request, web.ProviderLoginPath(r.ReturnTo(), name, want.scope), http.StatusSeeOther)
	case web.CallerHTMX:
		w.Header().Set("HX-Redirect", g.linkURL(r, want, web.RefererPath(r.Header.Get("HX-Current-URL"), r.Origin())))
		g.needsProvider(w, r, want)
	case web.CallerGRPC:
		web.GRPCStatus(w, "16", "sign in at the provider first")
	default:
		g.needsProvider(w, r, want)
	}
}

// wanted is a provider's token that there is not.
type wanted struct {
	provider, scope string
	own             bool // the person came by that provider
	lapsed          bool // it has expired as it was to
}

// linkURL is where the person can have it, and comes back from to a path of the site.
func (g *Guard) linkURL(r *web.Request, want wanted, returnTo string) string {
	if want.own {
		return r.Origin() + web.ProviderLoginPath(returnTo, want.provider, want.scope) // which names a site of ours
	}
	at := g.issuerOf(r)
	return at.Origin + web.LinkPath(at, want.provider, want.scope, r.Origin()+returnTo)
}

// connectPage leads to where the provider is linked, and back to the very URL.
func (g *Guard) connectPage(w http.ResponseWriter, r *web.Request, id *identity.Identity, want wanted) {
	title := g.Answers.ProviderTitle(want.provider)
	g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
		Title: "Connect " + title,
		Message: web.HostName(r.Host) + " needs access to your " + title + " account, which isn't connected, or no longer is. " +
			"Connect it once, and you'll return here.",
		Detail: "provider_not_linked", User: id.User,
		RetryURL: g.linkURL(r, want, r.ReturnTo()), RetryLabel: "Connect " + title,
	})
}

// JustNow is for how long a sign-in counts as one of just now: as long as one may
// take, and a little more to come back.
const JustNow = web.FlowValidity + time.Minute

// wasJustAt reports whether somebody was sent to a provider for its token so lately
// that doing it again would change nothing. A sign-in at it for another reason says
// nothing: its token may have been lost since. A session's id is as old as its
// sign-in's beginning, and that of a site is younger than the portal's that it came
// from. Of a sign-in by way of an older node it is not known what it was for, and
// any at the provider counts.
func (g *Guard) wasJustAt(id *identity.Identity, name string, scope []string) bool {
	at, had, _ := strings.Cut(id.Sought, " ")
	if !id.SoughtKnown {
		at = id.Provider
	}
	return at == name && client.Subset(scope, strings.Fields(had)) && g.Now().Sub(SignInBegan(id)) < JustNow
}

// SignInBegan is the time in the id of somebody's sign-in.
func SignInBegan(id *identity.Identity) time.Time {
	signIn := id.SessionID
	if id.Portal != uuid.Nil {
		signIn = id.Portal
	}
	return time.Unix(signIn.Time().UnixTime())
}

// gotOne reports whether a token that has expired is of the sign-in of just now: such
// a one is worth another. That of an earlier sign-in was expired when this one began,
// and says that this one brought none. A token that counts lives for a minute; half
// of that is left to clocks that differ.
func gotOne(id *identity.Identity, err error) bool {
	lapsed, ok := errors.AsType[*vault.LapsedError](err)
	return ok && lapsed.ExpiresAt.After(SignInBegan(id).Add(30*time.Second))
}

// needsProvider answers programs.
func (g *Guard) needsProvider(w http.ResponseWriter, r *web.Request, want wanted) {
	link := g.linkURL(r, want, web.RefererPath(r.Referer(), r.Origin()))
	if !want.own || !want.lapsed {
		more := map[string]string{"link_url": link}
		if want.own {
			more["login_url"] = link
		}
		web.Problem(w, http.StatusForbidden, "Connect "+g.Answers.ProviderTitle(want.provider)+" to continue.", more)
		return
	}
	// The request came to us with whatever it authenticated by taken off.
	web.SetChallenges(w.Header(), "", web.ResourceParameter(r),
		`error="insufficient_user_authentication", error_description="the user must sign in at `+want.provider+`"`)
	web.Problem(w, http.StatusUnauthorized, "Sign in at "+want.provider+" to continue.", map[string]string{"login_url": link})
}

// providerTokenMissing answers where another sign-in would lead nowhere.
func (g *Guard) providerTokenMissing(w http.ResponseWriter, r *web.Request, id *identity.Identity, want wanted) {
	title := g.Answers.ProviderTitle(want.provider)
	switch web.CallerOf(r.Request) {
	case web.CallerNavigation:
		g.Pages.Fault(w, r.Request, http.StatusBadGateway, page.Fault{
			Title: "No access to " + title,
			Message: "You're signed in, but " + title + " didn't give us the access in your name that " + web.HostName(r.Host) +
				" needs. If signing in there once more doesn't help, contact the administrator of this site.",
			Detail: "provider_token_missing", User: id.User,
			RetryURL: web.ProviderLoginPath(r.ReturnTo(), want.provider, want.scope), RetryLabel: "Sign in at " + title,
		})
	case web.CallerGRPC:
		web.GRPCStatus(w, "7", "no access at the provider")
	default:
		web.Problem(w, http.StatusForbidden, title+" didn't give us the access in the user's name that is needed here; contact the administrator of this site.", nil)
	}
}

func (g *Guard) providerTokenAway(w http.ResponseWriter, r *web.Request, name string, err error) {
	w.Header().Set("Retry-After", RetryAfter(err))
	title := g.Answers.ProviderTitle(name)
	switch web.CallerOf(r.Request) {
	case web.CallerNavigation:
		g.Pages.Fault(w, r.Request, http.StatusServiceUnavailable, page.Fault{
			Title:    "Just a moment",
			Message:  "You are signed in, but what " + web.HostName(r.Host) + " needs from " + title + " cannot be had right now. Please try again in a few seconds.",
			Detail:   "temporarily_unavailable",
			RetryURL: r.ReturnTo(), RetryLabel: "Try again",
		})
	case web.CallerGRPC:
		web.GRPCStatus(w, "14", "temporarily unavailable")
	default:
		web.Problem(w, http.StatusServiceUnavailable, title+" cannot be asked right now; try again in a few seconds.", nil)
	}
}

// RetryAfter is when trying again may be of use, as the header of that name has it.
func RetryAfter(err error) string {
	wait := 5 * time.Second
	if away, ok := errors.AsType[*vault.UnavailableError](err); ok {
		wait = max(wait, away.RetryAfter)
	}
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}
