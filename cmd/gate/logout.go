package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"net/url"
)

// logout ends logins: at the issuer, then here.
func (g *gate) logout(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("logout", flag.ContinueOnError)
	all := fs.Bool("all", false, "")
	local := fs.Bool("local", false, "")
	rest, err := parse(fs, args, 1)
	if err != nil {
		return err
	}
	if *all {
		if len(rest) > 0 {
			return usage("logout", "--all and a site exclude each other")
		}
		return g.logoutAll(ctx, *local)
	}
	c, err := g.chooseKnown(only(rest))
	if err != nil {
		return err
	}
	return g.end(ctx, c.login.Issuer, *local)
}

func (g *gate) logoutAll(ctx context.Context, local bool) error {
	logins, last := g.store.all()
	if len(logins) == 0 && last == nil {
		g.tell("You are not signed in anywhere.")
	}
	for _, l := range logins {
		if err := g.end(ctx, l.Issuer, local); err != nil {
			report(ctx, g.stderr, last)
			last = err
		}
	}
	return last
}

// end a login. What could not be revoked is kept, or nobody could end it.
func (g *gate) end(ctx context.Context, issuer string, local bool) error {
	unlock, err := g.store.lock(ctx, issuer)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := g.store.load(issuer)
	if errors.Is(err, errNoLogin) {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	if local {
		if err := g.store.remove(issuer); err != nil {
			return err
		}
		g.tell("Deleted the login at %s here. It was not revoked there and stays good until it expires.", printable(issuer))
		return nil
	}
	s, err := g.server(ctx, issuer)
	if err == nil {
		err = g.revoke(ctx, s, l)
	}
	if err != nil {
		code := exitFailed
		if f, ok := errors.AsType[*failure](err); ok {
			code = f.code
		}
		return &failure{
			code: code, err: &keptError{issuer, err},
			fix: "Try again, or delete it here alone, leaving it good at the issuer: gate logout --local " + l.address(),
		}
	}
	if err := g.store.remove(issuer); err != nil {
		return err
	}
	g.tell("Signed out at %s.", printable(issuer))
	return nil
}

// keptError is a login that could not be revoked.
type keptError struct {
	issuer string
	err    error
}

func (e *keptError) Error() string {
	return "the login at " + e.issuer + " is not revoked and was kept: " + e.err.Error()
}
func (e *keptError) Unwrap() error { return e.err }

// revoke ends a login at its issuer (RFC 7009): with the refresh token go the
// access tokens that came from it.
func (g *gate) revoke(ctx context.Context, s server, l *login) error {
	if s.Revocation == "" {
		return fail(exitFailed, "", "%s has no revocation endpoint", s.Issuer)
	}
	form := url.Values{"token": {l.RefreshToken}, "token_type_hint": {"refresh_token"}, "client_id": {l.Client}}
	if l.RefreshToken == "" {
		form.Set("token_type_hint", "access_token")
		for _, a := range l.Access {
			form.Set("token", a.Token)
		}
	}
	if form.Get("token") == "" {
		return nil
	}
	r, err := g.http.post(ctx, s.Revocation, form)
	if err != nil {
		return err
	}
	if r.status == http.StatusOK {
		return nil
	}
	return answer(s.Issuer, r, form, nil)
}
