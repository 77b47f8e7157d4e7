package caddymodule

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func init() {
	caddy.RegisterModule(new(Authenticator))
}

// Authenticator checks access tokens for Caddy's `authentication` handler, beside
// other providers of it. It never redirects and reads no cookie: Caddy's handler
// writes its own answer after a provider's. For people use the guard.
type Authenticator struct {
	// The host names that tokens may be for. Required: what a request calls
	// the site decides whose tokens are good. The first label may be `*`.
	Hosts []string `json:"hosts,omitempty"`

	app   *App
	names Guard // its list of names
}

// CaddyModule returns the Caddy module information.
func (*Authenticator) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.providers.gatehouse", New: func() caddy.Module { return new(Authenticator) }}
}

// Provision finds the app.
func (a *Authenticator) Provision(ctx caddy.Context) error {
	if len(a.Hosts) == 0 {
		return errors.New("hosts is required: the names that tokens may be for")
	}
	var err error
	if a.app, err = configured(ctx); err != nil {
		return err
	}
	for _, host := range a.Hosts {
		if host, err = expand("hosts", host); err != nil {
			return err
		}
		a.names.addNames([]string{host})
	}
	a.app.standInFront(ctx, &a.names)
	return nil
}

// Authenticate implements [caddyauth.Authenticator].
func (a *Authenticator) Authenticate(w http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	authorization := r.Header["Authorization"]
	if len(authorization) == 0 || !a.names.knows(r.Host) {
		web.SetChallenges(w.Header(), "", "", "")
		return caddyauth.User{}, false, nil
	}
	gateway := a.app.running(r.Context())
	if gateway == nil {
		return caddyauth.User{}, false, errors.New("gatehouse is starting")
	}
	uri, err := originalURI(r)
	if err != nil {
		return caddyauth.User{}, false, err
	}
	bare := new(http.Request)
	*bare = *r
	bare.Header = http.Header{"Authorization": authorization, "Dpop": r.Header["Dpop"]}
	id, err := gateway.Guard().Authenticate(bare, r.Host, a.app.schemeOf(r) == "https", guard.How{URI: uri})
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return caddyauth.User{}, false, err
	case err != nil || id.SelfRegistered: // such clients may come to guards alone
		scheme, _, _ := strings.Cut(authorization[0], " ")
		web.SetChallenges(w.Header(), scheme, "", `error="invalid_token"`)
		return caddyauth.User{}, false, nil
	}
	gateway.Guard().StripCredentials(r, id)
	return caddyauth.User{ID: id.User, Metadata: map[string]string{
		"sub": id.Subject, "provider": id.Provider, "email": id.VerifiedEmail(), "name": id.Name,
		"groups": groupsValue(id.Groups), "scope": strings.Join(id.Scope, " "), "client_id": id.ClientID,
	}}, true, nil
}

// Interface guards
var (
	_ caddy.Provisioner       = (*Authenticator)(nil)
	_ caddyauth.Authenticator = (*Authenticator)(nil)
)
