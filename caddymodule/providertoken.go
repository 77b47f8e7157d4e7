package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// parseToken parses:
//
//	provider_token <provider> [service] {
//		scope <scope…>
//	}
func (g *Guard) parseToken(h httpcaddyfile.Helper, app *App) error {
	if g.ProviderToken != "" {
		return h.Err("provider_token is given twice; one Authorization header holds one token")
	}
	if !h.NextArg() {
		return h.ArgErr()
	}
	g.ProviderToken = h.Val()
	if h.NextArg() {
		if h.Val() != "service" || h.NextArg() {
			return h.Errf("behind the provider, provider_token takes only the word service; found %q", h.Val())
		}
		g.ProviderTokenService = true
	}
	for nesting := h.Nesting(); h.NextBlock(nesting); {
		if h.Val() != "scope" {
			return h.Errf("unrecognized option %q of provider_token%s", h.Val(), didYouMean(h.Val(), []string{"scope"}))
		}
		if err := someWords(h.Dispenser, &g.ProviderTokenScopes); err != nil {
			return err
		}
	}
	if err := app.checkPassedToken(g.ProviderToken, g.ProviderTokenService); err != nil {
		return h.WrapErr(err)
	}
	return nil
}

// checkPassedToken refuses to pass on the tokens of a provider that is not
// there, or whose tokens nobody keeps.
func (a *App) checkPassedToken(name string, service bool) error {
	err := a.checkKept("provider_token", name)
	if errors.Is(err, errNotKept) && service {
		return nil // nobody's token is kept for it
	}
	return err
}

// errNotKept: the option store_tokens is missing.
var errNotKept = errors.New("so there is none to pass on")

// checkExchange refuses exchanges for the tokens of a provider that is not there, or
// whose tokens nobody keeps.
func (a *App) checkExchange(option string, names []string) error {
	for _, name := range names {
		if err := a.checkKept(option, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) checkKept(option, name string) error {
	i := slices.IndexFunc(a.Providers, func(p *ProviderConfig) bool { return p.Name == name })
	switch {
	case i < 0:
		return fmt.Errorf("%s: provider %q is not defined%s", option, name, didYouMean(name, a.providerNames()))
	case a.Providers[i].StoreTokens == nil:
		return fmt.Errorf("%s: the tokens of provider %q are not kept, %w; write in the global gatehouse block: provider %s { … store_tokens }", option, name, errNotKept, name)
	}
	return nil
}

var errTwoAuthorizations = errors.New("provider_token and basic_auth both set Authorization: leave one of them out")

func (g *Guard) provisionToken() error {
	if g.ProviderToken == "" {
		return nil
	}
	if err := g.app.checkPassedToken(g.ProviderToken, g.ProviderTokenService); err != nil {
		return err
	}
	if g.headers.basic != "" {
		return errTwoAuthorizations
	}
	g.rules.ProviderToken, g.rules.Scopes, g.rules.Service = g.ProviderToken, g.ProviderTokenScopes, g.ProviderTokenService
	if i := slices.IndexFunc(g.app.providers, func(p provider.Provider) bool { return p.Name() == g.ProviderToken }); g.ProviderTokenService && i >= 0 {
		if _, ok := g.app.providers[i].(provider.ServiceProvider); !ok {
			return fmt.Errorf("provider_token %s service: that provider issues no tokens for a service (the grant client_credentials)", g.ProviderToken)
		}
	}
	g.bearer = new(headerSet)
	g.bearer.remove("Authorization")
	return nil
}

// countMissing counts the requests that there was no token of the provider for.
func (g *Guard) countMissing(d guard.Decision) {
	if d.Outcome != guard.NoToken {
		return
	}
	reason := "missing"
	if d.IsAway() {
		reason = "away"
	}
	tokensMissing.WithLabelValues(g.ProviderToken, reason).Inc()
}

// passToken puts the provider's token into the request for the upstream, in
// place of whatever the client sent there. It returns the writer to answer by.
func (g *Guard) passToken(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict, token vault.Access) http.ResponseWriter {
	if g.bearer == nil {
		return w
	}
	if token.Endless {
		w = &doubtedAnswer{
			ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
			before:                w.Header().Clone(),
			challenge: func() func(http.ResponseWriter) {
				err := gateway.Guard().DoubtProviderToken(r.Context(), v.id, g.ProviderToken, token.AccessToken)
				if err == nil {
					return nil
				}
				tokensMissing.WithLabelValues(g.ProviderToken, "missing").Inc()
				return func(w http.ResponseWriter) {
					gateway.Guard().ChallengeProvider(w, v.request(r), v.id, g.ProviderToken, err, g.ProviderTokenScopes...)
				}
			},
		}
	}
	g.bearer.strip(r)
	delete(r.Header, "Dpop") // a proof for what has just been removed
	r.Header["Authorization"] = []string{"Bearer " + token.AccessToken}
	v.bearer = true
	return w
}
