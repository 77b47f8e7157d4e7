package flows

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// serveIssuer answers the endpoints of an issuer: those by which people sign
// in, and those of the authorization server.
func (g *Gateway) serveIssuer(w http.ResponseWriter, r *web.Request, at web.Issuer, endpoint string) {
	switch {
	case endpoint == "login":
		if g.answers.AllowedForm(w, r, at.Beginning()) {
			g.servePassword(w, r, at)
		}
	case endpoint == "signin":
		if web.Allowed(w, r, http.MethodGet, http.MethodHead) {
			g.serveSignIn(w, r, at)
		}
	case strings.HasPrefix(endpoint, "callback/"):
		name := strings.TrimPrefix(endpoint, "callback/")
		switch {
		case r.Method == http.MethodPost && g.postsAnswers(name):
			g.serveFormPost(w, r, at, name)
		case web.Allowed(w, r, http.MethodGet):
			g.serveCallback(w, r, at, name)
		}
	case strings.HasPrefix(endpoint, "backchannel_logout/"):
		if web.Allowed(w, r, http.MethodPost) {
			g.serveBackchannel(w, r, at, strings.TrimPrefix(endpoint, "backchannel_logout/"))
		}
	case endpoint == "authorize":
		if web.Allowed(w, r, http.MethodGet, http.MethodPost) {
			g.serveAuthorize(w, r, at)
		}
	case endpoint == "link":
		if web.Allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveLink(w, r, at)
		}
	case endpoint == "consent":
		if g.answers.AllowedForm(w, r, at.Beginning()) {
			g.serveConsent(w, r, at)
		}
	case g.Keys != nil:
		g.serveTokens(w, r, at, endpoint)
	default:
		g.answers.NotFound(w, r, at)
	}
}

// serveTokens answers the endpoints that programs use.
func (g *Gateway) serveTokens(w http.ResponseWriter, r *web.Request, at web.Issuer, endpoint string) {
	post := func(serve func(http.ResponseWriter, *web.Request, web.Issuer)) {
		origins := g.origins
		if (endpoint == "token" || endpoint == "revoke") && g.registers(at) {
			origins = client.AnyOrigin() // a page may be a client that is not known yet
		}
		if web.AllowedToPages(w, r, origins, http.MethodPost) {
			serve(w, r, at)
		}
	}
	switch endpoint {
	case "token":
		post(g.serveToken)
	case "par":
		post(g.servePAR)
	case "revoke":
		post(g.serveRevoke)
	case "device_authorization":
		post(g.serveDevice)
	case "introspect":
		if web.Allowed(w, r, http.MethodPost) {
			g.serveIntrospect(w, r, at)
		}
	case "device/decide":
		if g.answers.AllowedForm(w, r, at.Path+"device") {
			g.serveDecision(w, r, at)
		}
	case "device":
		if web.Allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveVerification(w, r, at)
		}
	case "register":
		switch {
		case !g.Registration.Dynamic || !g.registers(at):
			g.answers.NotFound(w, r, at)
		case web.AllowedToPages(w, r, client.AnyOrigin(), http.MethodPost):
			g.serveRegister(w, r, at)
		}
	case "userinfo":
		if web.AllowedToPages(w, r, g.origins, http.MethodGet, http.MethodPost) {
			g.serveUserinfo(w, r, at)
		}
	case "jwks.json":
		if web.AllowedToAll(w, r) {
			g.serveJWKS(w, r)
		}
	case ".well-known/openid-configuration", ".well-known/oauth-authorization-server":
		if web.AllowedToAll(w, r) {
			g.serveDiscovery(w, r, at)
		}
	default:
		g.answers.NotFound(w, r, at)
	}
}
