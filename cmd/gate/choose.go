package main

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// chosen is the login and the site that a command is about.
type chosen struct {
	login *login
	// site is the resource; "" is the issuer itself.
	site string
}

// choose finds the login for an address, of which "" is the only one there is.
// A site that is not known yet is asked for its issuer: one login serves all
// sites of an issuer.
func (g *gate) choose(ctx context.Context, raw string) (chosen, error) {
	c, err := g.chooseKnown(raw)
	if err == nil || raw == "" || !errors.Is(err, errNoLogin) {
		return c, err
	}
	site, err := parseSite(raw)
	if err != nil {
		return chosen{}, err
	}
	found, err := g.discover(ctx, site)
	if err != nil {
		return chosen{}, err
	}
	l, err := g.store.load(found.issuer)
	if errors.Is(err, errNoLogin) {
		return chosen{}, notSignedIn(found.issuer, raw)
	}
	return chosen{l, found.site}, err
}

// chooseKnown looks among the logins only.
func (g *gate) chooseKnown(raw string) (chosen, error) {
	logins, fault := g.store.all()
	if raw == "" {
		return chooseOnly(logins, fault)
	}
	address, err := parseSite(raw)
	if err != nil {
		return chosen{}, err
	}
	for _, l := range logins {
		for _, site := range l.Sites {
			if u, err := url.Parse(site); err == nil && covers(u, address) {
				return chosen{l, site}, nil
			}
		}
	}
	for _, l := range logins {
		if issuer, err := url.Parse(l.Issuer); l.Issuer == raw || (err == nil && origin(issuer) == origin(address) && issuer.Path == "") {
			return chosen{l, ""}, nil
		}
	}
	if fault != nil {
		return chosen{}, fault
	}
	return chosen{}, notSignedIn(origin(address), raw)
}

func chooseOnly(logins []*login, fault error) (chosen, error) {
	switch {
	case fault != nil:
		return chosen{}, fault
	case len(logins) == 0:
		return chosen{}, notSignedIn("", "https://app.example.com")
	case len(logins) > 1:
		var sites []string
		for _, l := range logins {
			sites = append(sites, l.address())
		}
		slices.Sort(sites)
		return chosen{}, fail(exitUsage, "Say which site is meant:\n"+strings.Join(sites, "\n"), "there are several logins")
	}
	c := chosen{login: logins[0]}
	if len(c.login.Sites) > 0 {
		c.site = c.login.Sites[0]
	}
	return c, nil
}

// address by which a person names a login.
func (l *login) address() string {
	if len(l.Sites) > 0 {
		return l.Sites[0]
	}
	return l.Issuer
}

func notSignedIn(at, raw string) error {
	err := errNoLogin
	if at != "" {
		err = &atError{at}
	}
	return &failure{code: exitSignIn, err: err, fix: "gate login " + raw}
}

// atError is errNoLogin with the place.
type atError struct{ at string }

func (e *atError) Error() string { return errNoLogin.Error() + " at " + e.at }
func (e *atError) Unwrap() error { return errNoLogin }
