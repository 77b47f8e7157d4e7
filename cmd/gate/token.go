package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"time"
)

const (
	// margin is what an access token must still be good for.
	margin = time.Minute
	// A refresh is tried three times, within the 30 seconds in which the issuer
	// answers the same refresh token with the same successor: an answer that was
	// lost is asked for again.
	refreshTries   = 3
	refreshPause   = 500 * time.Millisecond
	refreshTimeout = 28 * time.Second
	// An answer without expires_in is good for a moment.
	unknownLifetime = time.Minute
	maxLifetime     = 24 * time.Hour
)

// token prints an access token.
func (g *gate) token(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("token", flag.ContinueOnError)
	site := fs.String("for", "", "")
	provider := fs.String("provider", "", "")
	rest, err := parse(fs, args, 1)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usage("token", "name the site with --for "+rest[0])
	}
	var a access
	if *provider != "" {
		a, err = g.providerToken(ctx, *site, *provider)
	} else {
		a, err = g.tokenFor(ctx, *site)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.stdout, a.Token)
	return err
}

// tokenFor returns an access token for an address.
func (g *gate) tokenFor(ctx context.Context, raw string) (access, error) {
	c, err := g.choose(ctx, raw)
	if err != nil {
		return access{}, err
	}
	return g.accessToken(ctx, c)
}

// accessToken returns the stored token if it is still good. Else it takes the
// lock and looks again, since another process may have refreshed meanwhile.
func (g *gate) accessToken(ctx context.Context, c chosen) (access, error) {
	if a, ok := g.fresh(c.login, c.site); ok {
		return a, nil
	}
	unlock, err := g.store.lock(ctx, c.login.Issuer)
	if err != nil {
		return access{}, err
	}
	defer unlock()
	l, err := g.store.load(c.login.Issuer)
	if err != nil {
		return access{}, signInAgain(c.login, err)
	}
	if a, ok := g.fresh(l, c.site); ok {
		return a, nil
	}
	return g.refresh(ctx, l, c.site)
}

func (g *gate) fresh(l *login, site string) (access, bool) {
	a, ok := l.Access[site]
	return a, ok && a.Expires.Sub(g.env.now()) >= margin
}

// refresh fetches a token for a site and stores it with the next refresh token.
// The caller holds the lock. An interruption does not stop it halfway: what the
// issuer has rotated must be stored.
func (g *gate) refresh(ctx context.Context, l *login, site string) (access, error) {
	if l.RefreshToken == "" {
		return access{}, signInAgain(l, fmt.Errorf("the login at %s has expired", l.Issuer))
	}
	if err := ctx.Err(); err != nil {
		return access{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	begun := g.env.now()
	t, err := g.tryRefresh(ctx, l, site)
	if err != nil {
		return access{}, explainRefresh(err, l, site)
	}
	if t.Refresh != "" {
		l.RefreshToken = t.Refresh
	}
	l.prune(begun)
	l.remember(site)
	a := l.keep(site, t, begun)
	return a, g.store.save(l)
}

// keep a token that was asked for at a moment.
func (l *login) keep(site string, t tokens, begun time.Time) access {
	lifetime := unknownLifetime
	if t.ExpiresIn > 0 {
		lifetime = min(time.Duration(t.ExpiresIn)*time.Second, maxLifetime)
	}
	a := access{Token: t.Access, Expires: begun.Add(lifetime).UTC().Truncate(time.Second)}
	if l.Access == nil {
		l.Access = map[string]access{}
	}
	l.Access[site] = a
	return a
}

func (g *gate) tryRefresh(ctx context.Context, l *login, site string) (tokens, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {l.RefreshToken}, "client_id": {l.Client}}
	if site != "" {
		form.Set("resource", site)
	}
	pause := refreshPause
	for try := 1; ; try++ {
		t, err := g.refreshOnce(ctx, l.Issuer, form)
		again, after := passing(err)
		if err == nil || !again || try == refreshTries {
			return t, err
		}
		if err := g.env.sleep(ctx, max(pause, min(after, 5*time.Second))); err != nil {
			return t, err
		}
		pause *= 2
	}
}

func (g *gate) refreshOnce(ctx context.Context, issuer string, form url.Values) (tokens, error) {
	var t tokens
	s, err := g.server(ctx, issuer)
	if err != nil {
		return t, err
	}
	r, err := g.http.post(ctx, s.Token, form)
	if err != nil {
		return t, err
	}
	if err := answer(issuer, r, form, &t); err != nil {
		return t, err
	}
	return t, t.check(issuer)
}

// explainRefresh says what to do about a refused refresh.
func explainRefresh(err error, l *login, site string) error {
	switch errorCode(err) {
	case "invalid_grant":
		return signInAgain(l, fmt.Errorf("the login at %s has ended, or you may not use it any more", l.Issuer))
	case "invalid_target":
		hint := "Is the site guarded by that issuer? If it runs elsewhere, the issuer's Caddyfile must list it: site " + site
		if l.Client != defaultClient {
			hint += "\nThe block of client " + l.Client + " must have: resources " + site + "; or first_party, for any site."
		}
		return fail(exitRefused, hint,
			"%s gives no tokens for %s", l.Issuer, site)
	}
	return explainClient(err, l.Client, nil)
}

func signInAgain(l *login, err error) error {
	return &failure{code: exitSignIn, err: err, fix: "gate login " + l.address()}
}
