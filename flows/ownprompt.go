package flows

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Whoever signed out is asked who they are when they come back: the provider still
// has its own session, and would send them back without a word. That is a wish of
// ours, which no client relies on, and providers differ in what they take. So it is
// tried in two ways, select_account and then login, which asks for more. Neither is
// ever replaced by a silent sign-in: where a provider takes neither, a page of ours
// says so and the person goes on by a click.
//
// What a client or a person asked for (login, max_age, acr_values, or a
// select_account that is not ours) is sent as it is, whatever becomes of it.

// ownPromptOrder is the order in which prompts of our own are tried.
var ownPromptOrder = []string{"consent", "select_account", "login"}

// promptRank is a prompt's place in ownPromptOrder, from 1; 0 for any other.
func promptRank(prompt string) int { return slices.Index(ownPromptOrder, prompt) + 1 }

// chooseAccount asks for a choice of account of our own accord, unless the request
// has the person asked already, or nobody may be asked.
func (a *authRequest) chooseAccount() {
	if a.asks("login") || a.asks("select_account") || a.asks("none") {
		return
	}
	a.Prompt = strings.TrimSpace(a.Prompt + " select_account")
	a.Own = true
}

// chooseAfterSignOut is chooseAccount for a person who signed out here. A sign-out
// at another site leaves no mark at the portal, but the handle of the sign-in that
// it ended, which was looked up just before.
func (g *Gateway) chooseAfterSignOut(r *web.Request, at web.Issuer, a *authRequest) {
	if web.PathCookie(r.Request, at, web.LeftCookie) != "" || at.IsPortal && g.holdsRevoked(r) {
		a.chooseAccount()
	}
}

// holdsRevoked reports whether a browser holds the handle of a portal sign-in that is
// known to have been revoked. It asks nobody.
func (g *Gateway) holdsRevoked(r *web.Request) bool {
	tries := 0
	revoked := false
	web.EachCookie(r.Header, web.SessionCookieName(web.PortalCookie, r.Secure()), func(value string) bool {
		if tries++; tries > web.MaxTossed {
			return true
		}
		h, err := handle.ParseSession(g.Keyring, value)
		revoked = err == nil && g.Sessions.IsRevoked(h.ID)
		return revoked
	})
	return revoked
}

// ownPrompts are the prompts of our own that a provider may be asked for, in the
// order of ownPromptOrder. Where its token is wanted that is consent: without it,
// many give no refresh token to somebody who has consented before (OpenID Connect
// Core, section 11). Each is sent alone, since many providers take one word.
func ownPrompts(a *authRequest, p provider.Provider) []string {
	var own []string
	if a.Provider == p.Name() {
		own = append(own, "consent")
	}
	if a.Own && a.asks("select_account") {
		own = append(own, "select_account", "login")
	}
	return own
}

// nextPrompt is what a provider is asked for now, and whether that is of our own
// accord. ok is false where all that we could ask was tried and the person is not to
// be signed in silently.
func (g *Gateway) nextPrompt(ctx context.Context, a *authRequest, p provider.Redirect) (prompt string, own, ok bool) {
	if a.asks("login") || a.asks("select_account") && !a.Own {
		return a.providerPrompt(), false, true
	}
	for _, prompt := range ownPrompts(a, p) {
		if promptRank(prompt) > a.Tried && takesPrompt(ctx, p, prompt) {
			return prompt, true, true
		}
	}
	return "", false, !a.asks("select_account")
}

func takesPrompt(ctx context.Context, p provider.Redirect, prompt string) bool {
	prompter, ok := p.(provider.Prompter)
	return !ok || prompter.TakesPrompt(ctx, prompt)
}

// Not every provider that dislikes a prompt sends the browser back: some show an
// error page. So the browser remembers which prompt it was sent away with, and the
// next attempt goes on from there. A provider that came back with a code took it.

// tabsAtOnce is how long further attempts may be those of other tabs, which a browser
// opens together, and no sign that the one before has failed. They are sent to the
// provider like the first; a person who reads an error page takes longer.
const tabsAtOnce = 10 * time.Second

// askedFor is what a browser remembers of a prompt of our own.
func askedFor(r *web.Request, at web.Issuer, p provider.Redirect) (prompt string, since time.Time) {
	parts := strings.Split(web.PathCookie(r.Request, at, web.AskedCookie), ".")
	if len(parts) != 3 || parts[0] != p.Name() {
		return "", time.Time{}
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return "", time.Time{}
	}
	return parts[1], time.Unix(seconds, 0)
}

// triedPrompt is the rank of the prompt that this browser was sent to a provider
// with, and not seen to come back from.
func (g *Gateway) triedPrompt(r *web.Request, at web.Issuer, p provider.Redirect) int {
	prompt, since := askedFor(r, at, p)
	age := g.Now().Sub(since)
	if prompt == "login" && age >= -tabsAtOnce && age < tabsAtOnce {
		return promptRank(prompt) - 1
	}
	return promptRank(prompt)
}

// rememberPrompt notes a prompt after a sign-out, and when it was sent first. It is
// not done for consent: who leaves the provider's page would get no refresh token the
// next time.
func (g *Gateway) rememberPrompt(w http.ResponseWriter, r *web.Request, at web.Issuer, p provider.Redirect, prompt string) {
	if known, _ := askedFor(r, at, p); known == prompt || promptRank(prompt) <= promptRank("consent") {
		return
	}
	web.SetPathCookie(w, at, web.AskedCookie, p.Name()+"."+prompt+"."+strconv.FormatInt(g.Now().Unix(), 10), leftFor)
}

// forgetPrompt notes that the provider took the prompt.
func forgetPrompt(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	if web.PathCookie(r.Request, at, web.AskedCookie) != "" {
		web.ClearPathCookie(w, at, web.AskedCookie)
	}
}

// forgetSignOut notes that somebody has signed in since the sign-out.
func forgetSignOut(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	forgetPrompt(w, r, at)
	if web.PathCookie(r.Request, at, web.LeftCookie) != "" {
		web.ClearPathCookie(w, at, web.LeftCookie)
	}
}

// refusedOurPrompt reports whether a provider's error may be about a prompt of our
// own, and not about the person's decision. Of consent only the error for a request
// that is not understood is: others are what a person or an administrator wants.
func refusedOurPrompt(flow providerFlow, code string) bool {
	switch flow.OwnPrompt {
	case "":
		return false
	case "consent":
		return code == "invalid_request"
	}
	return code != "access_denied"
}

// withoutChoice is the page for somebody who signed out at a provider that lets
// nobody choose: it would sign them in as before, without a word, so they say so.
func (g *Gateway) withoutChoice(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, p provider.Redirect) {
	a.Prompt = strings.Join(slices.DeleteFunc(strings.Fields(a.Prompt), func(s string) bool { return s == "select_account" }), " ")
	a.Own = false
	g.Logger.InfoContext(r.Context(), "provider offers no choice of account after a sign-out; asking the person on a page", "provider", p.Name())
	g.signInPage(w, r, at, a, http.StatusOK, "",
		p.Title()+" didn't let you choose an account. If you continue, you may be signed in with the account you used before.")
}
