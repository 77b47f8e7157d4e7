package flows

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Failures that are allowed within failureWindow.
const (
	failuresPerAccount = 10
	failuresPerAddress = 30
	failureWindow      = 10 * time.Minute
)

// servePassword checks a user name and a password.
func (g *Gateway) servePassword(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	if err := r.ParseForm(); err != nil {
		g.startOver(w, r, at, unreadForm)
		return
	}
	a, err := g.openRequest(at, r.PostForm.Get("request"))
	if err != nil {
		g.startOverFor(w, r, at, a, err.Error())
		return
	}
	fault := web.CheckForm(g.Keyring, r, at)
	if fault == web.FormNoCookie && sendsOurCookies(r.Request) {
		fault = web.FormForeign // a page of before its cookie went
	}
	switch fault {
	case web.FormFine:
	case web.FormNoCookie:
		g.noCookies(w, r, at)
		return
	case web.FormForeign:
		g.logForm(r, "a sign-in was not tried", a.Client)
		g.signInPage(w, r, at, a, http.StatusForbidden, "", "We couldn't verify this form. Please try again.")
		return
	}
	if r.PostForm.Has("address") {
		g.toAddress(w, r, at, a, r.PostForm.Get("address"))
		return
	}
	g.checkPassword(w, r, at, a, r.PostForm.Get("username"), r.PostForm.Get("password"))
}

func (g *Gateway) checkPassword(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, username, password string) {
	ctx := r.Context()
	local := g.passwordProvider()
	if local == nil {
		g.startOver(w, r, at, "nobody signs in by a password any more")
		return
	}
	counts := g.failureCounts(r, at, username)
	throttles, leave, err := g.turn(ctx, counts)
	defer leave()
	switch {
	case errors.Is(err, provider.ErrBusy):
		g.busy(w, r, at, a, username)
		return
	case err != nil:
		g.answers.Unfinished(w, r, err, g.retryURL(at, a))
		return
	}
	if wait := longest(throttles); wait > 0 {
		g.throttled(w, r, at, a, username, wait)
		return
	}
	claims, err := local.Authenticate(ctx, username, password)
	switch {
	case err == nil:
	case errors.Is(err, provider.ErrCredentials):
		throttles, err := g.countFailure(ctx, counts)
		if err != nil {
			g.answers.Unfinished(w, r, err, g.retryURL(at, a))
			return
		}
		g.Logger.WarnContext(ctx, "sign-in failed", "provider", local.Name(), "client_id", a.Client, "client_ip", r.ClientIP)
		g.Events(ctx, "login_failed", slog.String("provider", local.Name()), slog.String("client_ip", r.ClientIP))
		if wait := longest(throttles); wait > 0 && overLimit(throttles, counts) {
			g.throttled(w, r, at, a, username, wait)
			return
		}
		g.signInPage(w, r, at, a, http.StatusUnauthorized, username, "Incorrect username or password.")
		return
	case errors.Is(err, provider.ErrBusy):
		g.busy(w, r, at, a, username)
		return
	default:
		g.answers.Unfinished(w, r, err, g.retryURL(at, a))
		return
	}
	if !g.Admit(claims) {
		g.refuse(w, r, at, a, claims)
		return
	}
	g.keepGroups(ctx, &claims)
	if !g.isMet(&a, &claims) {
		g.notMet(w, r, at, a, &claims)
		return
	}
	started, err := g.signIn(w, r, at, session.Start{Claims: claims})
	if oautherror.IsPassing(err) {
		g.answers.Unfinished(w, r, err, g.retryURL(at, a))
		return
	}
	if err != nil {
		g.signInFailed(w, r, at, a.Client, &claims, err)
		return
	}
	g.known.Remember(w, at, username, started.Identity.Subject)
	g.rememberChoice(w, r, at, local.Name())
	g.carryOn(w, r, at, a, started, uuid.Nil)
}

// countFailure counts a wrong password or user code, whether or not its sender
// waits for the answer.
func (g *Gateway) countFailure(ctx context.Context, counts []cache.Count) ([]cache.Throttle, error) {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	return g.Cache.Add(ctx, counts...)
}

// busy asks to try again in a moment.
func (g *Gateway) busy(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, username string) {
	w.Header().Set("Retry-After", "2")
	g.Logger.InfoContext(r.Context(), "a sign-in was not tried, since many passwords are being checked", "client_id", a.Client, "client_ip", r.ClientIP)
	g.signInPage(w, r, at, a, http.StatusServiceUnavailable, username, "Many people are signing in right now. Please try again in a moment.")
}

func (g *Gateway) passwordProvider() provider.Password {
	for _, p := range g.Providers {
		if local, ok := p.(provider.Password); ok {
			return local
		}
	}
	return nil
}

// failureCounts are the counters of one attempt. A browser that this user has
// signed in with before has a counter of its own, so that others' failures lock
// out nobody.
func (g *Gateway) failureCounts(r *web.Request, at web.Issuer, username string) []cache.Count {
	if device := g.known.Device(r, at, username); device != "" {
		return []cache.Count{{
			Key: g.counterKey("known", username, device), Limit: failuresPerAccount, Window: failureWindow,
		}}
	}
	return []cache.Count{
		{Key: g.counterKey("account", username), Limit: failuresPerAccount, Window: failureWindow},
		{Key: g.counterKey("address", web.AddressKey(r.ClientIP)), Limit: failuresPerAddress, Window: failureWindow},
	}
}

func longest(throttles []cache.Throttle) time.Duration {
	var wait time.Duration
	for _, t := range throttles {
		wait = max(wait, t.RetryAfter)
	}
	return wait
}

// overLimit reports whether a counter went beyond its limit: the tenth failure is
// still answered as what it is, the eleventh is not checked any more.
func overLimit(throttles []cache.Throttle, counts []cache.Count) bool {
	for i, t := range throttles {
		if t.Count > counts[i].Limit {
			return true
		}
	}
	return false
}

func (g *Gateway) throttled(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, username string, wait time.Duration) {
	seconds := int(wait/time.Second) + 1
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	g.Logger.InfoContext(r.Context(), "a sign-in was not tried, after too many that failed", "client_id", a.Client, "client_ip", r.ClientIP, "seconds", seconds,
		"cure", "the person waits; if all have one address, have the proxy in front pass on theirs: trusted_proxies")
	minutes := (seconds + 59) / 60
	message := "Too many attempts. Please try again in " + strconv.Itoa(minutes) + " minutes."
	if minutes == 1 {
		message = "Too many attempts. Please try again in a minute."
	}
	g.signInPage(w, r, at, a, http.StatusTooManyRequests, username, message)
}
