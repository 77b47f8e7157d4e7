package caddymodule

import (
	"errors"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/reading"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// looked is who a request is of, or why that is not known. It is found out once: a
// proof of possession (RFC 9449) is good for one question.
type looked struct {
	done bool
	id   *identity.Identity
	err  error
}

// authenticate is who a request is of.
func (v *verdict) authenticate(g *Guard, gateway *flows.Gateway, r *http.Request) (*identity.Identity, error) {
	if !v.looked.done {
		if v.scheme == "" {
			v.scheme = g.app.schemeOf(r)
		}
		if v.uri == "" {
			var err error
			if v.uri, err = originalURI(r); err != nil {
				return nil, session.ErrNoSession // the guard refuses it
			}
		}
		v.uncounted = g.site.isUncounted(r)
		v.looked.done = true
		v.looked.id, v.looked.err = gateway.Guard().Authenticate(v.withCredentials(r), r.Host, v.scheme == "https", g.how(v))
	}
	return v.looked.id, v.looked.err
}

// how is how the guard's site takes what a request brings.
func (g *Guard) how(v *verdict) guard.How {
	return guard.How{Uncounted: v.uncounted, URI: v.uri, Token: accesstoken.Places{Basic: g.site.basicToken}}
}

// withCredentials is the request with what was taken away from it.
func (v *verdict) withCredentials(r *http.Request) *http.Request {
	if v.hidden == nil {
		return r
	}
	with := new(http.Request)
	*with = *r
	with.Header = maps.Clone(r.Header)
	for i, name := range credentialHeaders {
		if v.hidden[i] != nil {
			with.Header[name] = v.hidden[i]
		}
	}
	return with
}

// whoAsks is who is signed in at the site of a request that no guard has looked at,
// or nil. A matcher asks it. While that cannot be told it is an error: a matcher with
// `not` would match.
func (a *App) whoAsks(r *http.Request, v *verdict) (*identity.Identity, error) {
	gateway := a.running(r.Context())
	g := a.guardAt(r.Host)
	if gateway == nil || reading.Target(r) != nil || g == nil {
		return nil, nil
	}
	if v == nil {
		v = newVerdict(r)
	}
	id, err := v.authenticate(g, gateway, r)
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return nil, caddyhttp.Error(http.StatusServiceUnavailable, err)
	case id != nil && id.TokenID == "" && g.site.isForgeable(r):
		return nil, nil
	}
	return id, nil
}

// guardAt is a guard that stands at a host, or nil.
func (a *App) guardAt(host string) *Guard {
	for _, g := range a.guards {
		if g.knows(host) {
			return g
		}
	}
	return nil
}
