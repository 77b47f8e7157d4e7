package flows

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// A resource may work with the user's token of a provider. Who signs in for a client of it
// and has none is led to the provider before the client has its code: later there is no
// browser, and the client would meet a refusal that it can do nothing about.

// missing is a provider that the resources of a request work with and that has given no
// usable token of the person; "" if there is none. While that cannot be told, there is
// none: the resource says so itself, and it passes.
func (g *Gateway) missing(r *web.Request, a *authRequest, id *identity.Identity) (name, scope string) {
	if g.Vault == nil || g.Clients[a.Client] == nil && !g.isSelfRegistered(a.Client) {
		return "", ""
	}
	for _, v := range a.Resource {
		named, err := resource.ParseIdentifier(v)
		if err != nil {
			continue
		}
		found, ok := g.Resources.Find(named)
		if !ok {
			continue
		}
		for _, p := range found.Providers {
			if _, ok := g.providers[p.Name].(provider.Redirect); !ok {
				continue
			}
			if _, err := g.guard.ProviderToken(r.Context(), id, p.Name, p.Scopes...); err != nil && !guard.ProviderTokenIsAway(err) {
				return p.Name, g.scopesAsked(p.Name, strings.Join(p.Scopes, " "))
			}
		}
	}
	return "", ""
}

// connects leads a person to a provider that a resource works with, once, and reports
// whether the request was answered by that. pending is the flow of the sign-in, or
// uuid.Nil.
func (g *Gateway) connects(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, id *identity.Identity, pending uuid.UUID) bool {
	name, scope := g.missing(r, &a, id)
	if name == "" {
		return false
	}
	title := g.answers.ProviderTitle(name)
	g.conclude(r, pending, a, id.Subject)
	switch {
	case a.asks("none"):
		g.refuseClient(w, r, at, a, "interaction_required", "the person has to connect "+title+", which the resource works with")
		return true
	case slices.Contains(a.Connected, name):
		g.Logger.WarnContext(r.Context(), "a client gets no token: its resource works with a provider whose token there is none of the user's", "provider", name,
			"user", id.User, "client_id", a.Client, "cure", "the user must connect the provider, which must give this client tokens that last (scope offline_access, consent, a grant for refresh tokens)")
		g.refuseClient(w, r, at, a, "access_denied", "the resource works with "+title+", which the person has not connected")
		return true
	}
	p := g.providers[name].(provider.Redirect) //nolint:forcetypeassert // missing has looked
	a.Connected = append(slices.Clone(a.Connected), name)
	if id.Provider == name {
		a.Provider, a.ProviderScope = name, scope
		g.toProvider(w, r, at, a, p)
		return true
	}
	// The person is signed in now, and need not be again when they come back.
	a.Prompt, a.Own = strings.Join(slices.DeleteFunc(strings.Fields(a.Prompt), func(s string) bool { return s == "login" || s == "select_account" }), " "), false
	form := linkForm{Provider: name, Scope: scope, ReturnTo: requestPath(at) + g.sealRequest(at, a), Again: slices.Contains(a.Connected, signedInAgain), Begun: g.Now().Unix()}
	if u, err := url.Parse(a.Resource[0]); err == nil {
		form.Site = u.Hostname()
	}
	g.linkPage(w, r, at, id, p, form)
	return true
}

// signedInAgain stands beside the providers that somebody was led to who has signed in once
// more for that. No provider has such a name.
const signedInAgain = " again"

// requestPath is where a request goes on that is sealed behind it.
func requestPath(at web.Issuer) string { return at.Path + "signin?request=" }

// continues reports whether a link was begun for an authorization request, which goes on
// behind it whether or not the provider was connected.
func continues(at web.Issuer, returnTo string) bool {
	return strings.HasPrefix(returnTo, requestPath(at))
}

// signInAgainToConnect has somebody sign in once more whose sign-in is not of just now,
// and is asked again then: who finds an open browser must not add a way in of their own.
func (g *Gateway) signInAgainToConnect(w http.ResponseWriter, r *web.Request, at web.Issuer, form linkForm, id *identity.Identity) {
	a, err := g.openRequest(at, strings.TrimPrefix(form.ReturnTo, requestPath(at)))
	if err != nil {
		g.startOver(w, r, at, err.Error())
		return
	}
	a.Connected = append(slices.DeleteFunc(a.Connected, func(name string) bool { return name == form.Provider }), signedInAgain)
	a.Prompt, a.Own = strings.TrimSpace(a.Prompt+" login"), true
	g.offer(w, r, at, a, id.Provider)
}
