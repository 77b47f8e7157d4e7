package flows

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// Authenticate returns the verified identity of a request to a guarded site.
// host is as requested; secure tells whether the client came by https. A warm
// session costs no I/O.
//
// Errors: [session.ErrNoSession] when nobody is signed in,
// [session.ErrUnavailable] when that cannot be told now.
func (g *Gateway) Authenticate(r *http.Request, host string, secure bool) (*identity.Identity, error) {
	return g.fromCookies(r.Context(), r.Header, sessionCookieName(siteCookie, secure), clientOf(host))
}

// fromCookies tries each cookie of the name: the valid one wins.
func (g *Gateway) fromCookies(ctx context.Context, h http.Header, name, client string) (*identity.Identity, error) {
	var found *identity.Identity
	failure := session.ErrNoSession
	tries := 0
	eachCookie(h, name, func(value string) bool {
		// A sub-domain can send many; looking each up would be its weapon.
		if tries++; tries > 4 {
			return true
		}
		id, err := g.Sessions.Authenticate(ctx, client, value)
		if err == nil {
			found = id
			return true
		}
		if errors.Is(err, session.ErrUnavailable) {
			failure = err
		}
		return false
	})
	if found != nil {
		return found, nil
	}
	return nil, failure
}

// StripCredentials removes what is ours from a request on its way upstream.
func (g *Gateway) StripCredentials(r *http.Request) {
	stripCookies(r.Header)
}
