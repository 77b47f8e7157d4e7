package caddymodule

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/caddymodule/dialect"
)

func init() {
	caddy.RegisterModule(new(ForwardAuth))
}

// ForwardAuth answers another proxy that asks whether a request may pass. It takes
// the decision of a [Guard], with the same options, about the request that the
// proxy describes.
//
// The proxy asks on the path `/forward_auth`. If the request may pass, the answer is
// 200 and has every identity header, empty ones too, and the headers `Cookie` and
// `Authorization` without Gatehouse's own credentials: the proxy must set all of
// them on the request to the application. Every other request is answered as a
// guarded site would: the proxy passes on `/.gatehouse/*`, and some proxies whatever
// was refused.
//
// It answers only proxies: connections from the server's `trusted_proxies`, or with
// a client certificate that the server has verified.
type ForwardAuth struct {
	Guard

	// Which proxy asks: `nginx`, `apache`, `haproxy`, `traefik`, `envoy` or `caddy`. It says
	// which headers describe the request, and how the answer reaches the client.
	// The headers of the others are ignored. Required.
	Proxy string `json:"proxy,omitempty"`

	dialect    *dialect.Dialect
	complained [complaints]atomic.Int64 // when it was last complained of each, in seconds
}

// CaddyModule returns the Caddy module information.
func (*ForwardAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse_forward_auth", New: func() caddy.Module { return new(ForwardAuth) }}
}

// Provision checks the options and provisions the guard.
func (f *ForwardAuth) Provision(ctx caddy.Context) error {
	f.dialect = dialect.ByName(f.Proxy)
	switch {
	case f.dialect == nil:
		return fmt.Errorf("proxy is %q; which proxy asks? One of: %s", f.Proxy, strings.Join(dialect.Names(), ", "))
	case len(f.Hosts) == 0:
		return errors.New("gatehouse_forward_auth needs the names of the sites that the proxy serves: hosts app.example.com")
	case len(f.Upgrades) > 0:
		return errors.New("upgrades has no effect with forward auth: the proxy makes the connection to the application; say there which protocols may be upgraded to")
	case len(f.CORS) > 0:
		return errForwardCORS
	case f.FinishUploads != 0:
		return errors.New("finish_uploads has no effect with forward auth: the proxy sends the uploads, and they go on when a session ends")
	}
	if err := checkSeen(f.MatcherSetsRaw); err != nil {
		return err
	}
	f.asked = true
	if err := f.Guard.Provision(ctx); err != nil {
		return err
	}
	return f.headers.checkCarried()
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler]. Nothing is passed on to next.
func (f *ForwardAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if !isProxy(r) {
		f.complain(r, aboutPeer, "forward auth was asked by an address that is not a trusted proxy; name the proxy: "+howToTrust)
		return refuseProxy(w, http.StatusForbidden, "Only trusted proxies may ask here.")
	}
	if describesSecret(r) || bringsOwnHeader(r.Header) || f.headers.haveToken() {
		return f.serveUnlogged(w, r)
	}
	return f.serve(w, r)
}

func (f *ForwardAuth) serve(w http.ResponseWriter, r *http.Request) error {
	if f.dialect.IsAsk(r) {
		return f.serveAsk(w, r)
	}
	return f.serveAnswer(w, r)
}

// serveAsk answers the question whether a request may pass.
func (f *ForwardAuth) serveAsk(w http.ResponseWriter, r *http.Request) error {
	answer := &askAnswer{ResponseWriter: w, onlyYesOrNo: f.dialect.OnlyYesOrNo()}
	asked, err := f.read(r)
	if err != nil {
		return f.refuseUnread(answer, r, err)
	}
	if gateway := f.app.running(r.Context()); gateway != nil && gateway.OwnPath(asked.URI) {
		f.complain(r, aboutOwn, "the proxy asks about one of Gatehouse's own addresses; have it pass /.gatehouse/* on to Gatehouse without asking")
		return refuseProxy(answer, http.StatusForbidden, "This address is Gatehouse's own.")
	}
	if f.knows(asked.Host) && f.dialect.CompletesLocations() {
		answer.origin = asked.Scheme + "://" + asked.Host
	}
	if !f.knows(asked.Host) {
		f.complain(r, aboutHost, "forward auth was asked about a host that hosts does not list", "asked_host", shortened(asked.Host))
	}
	err = f.decide(answer, r, f.describe(r, asked, http.NoBody), func(w http.ResponseWriter, original *http.Request) error {
		if bringsOwnHeader(r.Header) || !slices.Equal(original.Header["Proxy-Authorization"], r.Header["Proxy-Authorization"]) {
			return f.refuseUnread(w, r, errTokenForProxy)
		}
		answer.yes = true
		defer func() { answer.yes = false }()
		return f.yes(w, original)
	})
	if err == nil {
		answer.finish()
	}
	return err
}

// serveAnswer serves what is Gatehouse's own, and gives the answer to a request that
// the proxy has refused.
func (f *ForwardAuth) serveAnswer(w http.ResponseWriter, r *http.Request) error {
	asked, unread := f.read(r)
	if asked.Host == "" {
		asked = f.sent(r)
	}
	var err error
	asked.Method = r.Method
	// In r.URL the front has hidden the query of our own addresses.
	if asked.URI, err = originalURI(r); err != nil {
		return malformed(w)
	}
	return f.decide(w, r, f.describe(r, asked, r.Body), func(w http.ResponseWriter, _ *http.Request) error {
		if unread != nil {
			return f.refuseUnread(w, r, unread)
		}
		// It was refused a moment ago. What this answer would say is the proxy's to know.
		w.Header().Set("Retry-After", "1")
		return refuseProxy(w, http.StatusServiceUnavailable, "Try again in a moment.")
	})
}

// sent is a request that the proxy passed on as it does to any upstream.
func (f *ForwardAuth) sent(r *http.Request) dialect.Asked {
	asked := dialect.Asked{Host: r.Host, Scheme: f.app.schemeOf(r)}
	if hosts := r.Header["X-Forwarded-Host"]; len(hosts) == 1 && f.knows(hosts[0]) {
		asked.Host = hosts[0]
	}
	return asked
}

// decide has the guard judge a request, and tells the server what its logs need.
func (f *ForwardAuth) decide(w http.ResponseWriter, r, original *http.Request, yes caddyhttp.HandlerFunc) error {
	err := f.Guard.ServeHTTP(w, original, yes)
	if skip, _ := caddyhttp.GetVar(original.Context(), caddyhttp.LogSkipVar).(bool); skip {
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	}
	if v := verdictOf(original); v != nil && v.id != nil {
		if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			repl.Map(v.placeholder)
		}
	}
	return err
}

// yes tells the proxy who it is, and what to set on the request.
func (f *ForwardAuth) yes(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	for _, name := range f.headers.all() {
		if h[name] = r.Header[name]; len(h[name]) == 0 {
			h[name] = []string{""}
		}
	}
	for _, name := range [...]string{"Cookie", "Authorization"} {
		separator := ", "
		if name == "Cookie" {
			separator = "; "
		}
		h[name] = []string{strings.Join(r.Header[name], separator)}
	}
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// describe is the request that the proxy has received, as its server would have
// met it.
func (f *ForwardAuth) describe(r *http.Request, asked dialect.Asked, body io.ReadCloser) *http.Request {
	original := r.Clone(r.Context())
	original.Method, original.Host, original.RequestURI, original.Body = asked.Method, asked.Host, asked.URI, body
	// The connection is the proxy's, as the protocol is: nginx asks by HTTP/1.0.
	original.TLS = nil
	if asked.Scheme == "https" {
		original.TLS = &tls.ConnectionState{HandshakeComplete: true} // for the matcher protocol
	}
	original.Proto, original.ProtoMajor, original.ProtoMinor = "HTTP/1.1", 1, 1
	if u, err := url.ParseRequestURI(asked.URI); err == nil {
		original.URL = u
	}
	dialect.Strip(original.Header)
	original.Header.Set("X-Forwarded-Proto", asked.Scheme)
	if isHandshake(original.Header) {
		// Proxies leave out what concerns their own connection.
		original.Header.Set("Upgrade", "websocket")
		original.Header.Set("Connection", "Upgrade")
	}
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	original = caddyhttp.PrepareRequest(original, caddy.NewReplacer(), nil, server)
	caddyhttp.SetVar(original.Context(), caddyhttp.TrustedProxyVarKey, true)
	if client != "" {
		caddyhttp.SetVar(original.Context(), caddyhttp.ClientIPVarKey, client)
		original.RemoteAddr = net.JoinHostPort(client, "0")
	}
	return original
}

// isHandshake reports whether a client opens a WebSocket. By HTTP/2 it sends no key
// (RFC 8441, section 5).
func isHandshake(h http.Header) bool {
	return len(h["Sec-Websocket-Key"])+len(h["Sec-Websocket-Version"])+len(h["Upgrade"]) > 0
}

// isProxy reports whether a connection is one of trusted_proxies, or has a client
// certificate that was verified.
func isProxy(r *http.Request) bool {
	return fromTrustedProxy(r) || hasVerifiedCertificate(r.TLS)
}

func hasVerifiedCertificate(state *tls.ConnectionState) bool {
	return state != nil && len(state.VerifiedChains) > 0
}

// Interface guards
var (
	_ caddy.Provisioner           = (*ForwardAuth)(nil)
	_ caddyhttp.MiddlewareHandler = (*ForwardAuth)(nil)
)
