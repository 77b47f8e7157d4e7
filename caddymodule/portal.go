package caddymodule

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func init() {
	caddy.RegisterModule(new(Portal))
}

// Portal is where people sign in for all guarded sites: everything below the
// app's issuer. It has no options of its own.
type Portal struct {
	app  *App
	host string // of the issuer, without port
}

var errIssuer = errors.New("gatehouse_portal needs an issuer; write in the global gatehouse block: issuer https://auth.example.com")

// CaddyModule returns the Caddy module information.
func (*Portal) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse_portal", New: func() caddy.Module { return new(Portal) }}
}

// Provision finds the app.
func (p *Portal) Provision(ctx caddy.Context) error {
	app, err := configured(ctx)
	if err != nil {
		return err
	}
	if app.issuer == "" {
		return errIssuer
	}
	issuer, err := url.Parse(app.issuer)
	if err != nil {
		return errIssuer
	}
	p.app, p.host = app, strings.ToLower(issuer.Hostname())
	app.joinPortal(p.host)
	names := new(Guard) // a list of them
	names.addNames([]string{p.host})
	app.standInFront(ctx, names)
	return nil
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	gateway := p.app.running(r.Context())
	if gateway == nil {
		return notStarted(w)
	}
	uri, err := originalURI(r)
	if err != nil {
		gateway.LimitBody(w, r)
		return malformed(w)
	}
	if !strings.EqualFold(hostName(r.Host), p.host) {
		gateway.LimitBody(w, r)
		return misdirected(w)
	}
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	p.app.serveOwn(w, &web.Request{
		Request: r, URI: uri, Scheme: p.app.schemeOf(r), Host: r.Host, ClientIP: client, TrustedProxy: fromTrustedProxy(r),
	}, gateway.ServePortal)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Portal)(nil)
	_ caddyhttp.MiddlewareHandler = (*Portal)(nil)
)
