package flows

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Offer is how people come to a provider, where there are several.
type Offer struct {
	// Hidden: it is not among the choices. Who is sent there comes by a guard that
	// picks it, by an address of its Domains, or by a link that names it.
	Hidden bool
	// Domains: who types an e-mail address of one of them is sent there.
	Domains []string
}

// chosenFor is how long a browser remembers which way its person signed in.
const chosenFor = 365 * 24 * time.Hour

// pick has somebody sign in by a certain provider, if nobody is signed in yet. Unlike
// [Gateway.wantProvider] it asks nobody to sign in again.
func (g *Gateway) pick(a *authRequest, name string) {
	if g.providers[name] != nil {
		a.Pick = name
	}
}

// offered are the providers to choose from.
func (g *Gateway) offered(a authRequest) []provider.Provider {
	var offered []provider.Provider
	for _, p := range g.Providers {
		if a.Pick != "" && p.Name() == a.Pick || a.Pick == "" && !g.Offers[p.Name()].Hidden {
			offered = append(offered, p)
		}
	}
	return offered
}

// way is the provider to go to without a choice, or "".
func (g *Gateway) way(a authRequest) string {
	if a.Provider != "" {
		return a.Provider
	}
	if a.Pick == "" {
		if p := g.ofAddress(a.LoginHint); p != nil {
			return p.Name()
		}
	}
	if offered := g.offered(a); len(offered) == 1 && !g.asksForAddress(a) {
		return offered[0].Name()
	}
	return ""
}

// ofAddress is the provider that the people of an address's domain sign in at, or nil.
func (g *Gateway) ofAddress(address string) provider.Redirect {
	local, domain, ok := strings.Cut(strings.TrimSpace(address), "@")
	if !ok || local == "" {
		return nil
	}
	for _, known := range g.Providers {
		p, ok := known.(provider.Redirect)
		if ok && slices.ContainsFunc(g.Offers[known.Name()].Domains, func(d string) bool { return identity.EqualFoldASCII(d, domain) }) {
			return p
		}
	}
	return nil
}

// asksForAddress reports whether an address may lead to a provider that is not among
// the choices, or sooner to one that is.
func (g *Gateway) asksForAddress(a authRequest) bool {
	return a.Pick == "" && len(g.Providers) > 1 && slices.ContainsFunc(g.Providers, func(p provider.Provider) bool { return len(g.Offers[p.Name()].Domains) > 0 })
}

// choices are the links of the sign-in page, that of the last sign-in first.
func (g *Gateway) choices(r *web.Request, at web.Issuer, a authRequest, sealed string) []page.ProviderLink {
	var links []page.ProviderLink
	chosen := web.PathCookie(r.Request, at, web.ChosenCookie)
	for _, known := range g.offered(a) {
		if _, ok := known.(provider.Redirect); !ok {
			continue
		}
		link := page.ProviderLink{
			Name: known.Name(), Title: known.Title(), URL: signInURL(at, known.Name(), sealed), Last: known.Name() == chosen,
		}
		if link.Last {
			links = slices.Insert(links, 0, link)
			continue
		}
		links = append(links, link)
	}
	return links
}

// rememberChoice notes which way somebody has signed in, where there is a choice.
func (g *Gateway) rememberChoice(w http.ResponseWriter, r *web.Request, at web.Issuer, name string) {
	if len(g.Providers) > 1 && !g.Offers[name].Hidden && web.PathCookie(r.Request, at, web.ChosenCookie) != name {
		web.SetPathCookie(w, at, web.ChosenCookie, name, chosenFor)
	}
}

// toAddress goes on where an address belongs.
func (g *Gateway) toAddress(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, address string) {
	p := g.ofAddress(address)
	if p == nil || len(address) > maxHint {
		g.Logger.InfoContext(r.Context(), "no provider has the domain of an address that was typed", "client_id", a.Client,
			"cure", "if people of that domain should sign in, write domains in a provider's block")
		g.signInPage(w, r, at, a, http.StatusOK, "", "Nobody signs in here by an address of that domain. Check it, or choose another way.")
		return
	}
	a.LoginHint = strings.TrimSpace(address)
	g.toProvider(w, r, at, a, p)
}
