package flows

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// serveUserinfo tells a client about the person it has an access token of
// (OpenID Connect Core, section 5.3). The token's audience must hold the issuer
// (RFC 9068, section 4), as it does where the client asked for no resource, or for
// the issuer as well: the server of a resource that has a token of somebody must
// not learn by it who that is.
func (g *Gateway) serveUserinfo(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	scheme, raw, fault := authorization(r.Header)
	if fault != "" {
		g.refuseBearer(w, scheme, fault, "")
		return
	}
	claims, who, err := g.access.Verify(r.Context(), at, raw)
	switch {
	case errors.Is(err, session.ErrUnavailable), errors.Is(err, token.ErrNoKey):
		g.writeOAuthError(w, r.Request, err)
		return
	case err != nil:
		g.refuseBearer(w, scheme, "invalid_token", "the access token is not valid or has expired")
		return
	}
	err = g.access.CheckBinding(r, at.URL("userinfo"), claims, scheme, raw)
	switch {
	case errors.Is(err, accesstoken.ErrProof):
		g.refuseBearer(w, scheme, "invalid_token", "the access token is bound to a key that was not proven")
		return
	case err != nil:
		g.writeOAuthError(w, r.Request, err)
		return
	}
	if !slices.Contains(claims.Audience, at.ID()) {
		g.refuseBearer(w, scheme, "invalid_token", "the access token is for another resource; ask for the issuer as resource as well")
		return
	}
	scope := strings.Fields(claims.Scope)
	if !slices.Contains(scope, "openid") {
		g.refuseBearer(w, scheme, "insufficient_scope", "the scope openid is needed")
		return
	}
	writeJSON(w, http.StatusOK, with{
		userinfo{Subject: claims.Subject, userClaims: userClaimsOf(&who.Claims, scope)},
		keptClaims(g.Clients[claims.ClientID], &who.Claims, scope),
	})
}

// userinfo is the answer (OpenID Connect Core, section 5.3.2).
type userinfo struct {
	Subject string `json:"sub"`
	userClaims
}

// authorization reads the one Authorization header of a request with an access
// token. A token in the URL or the body is not looked at (RFC 9700, section
// 4.3.2).
func authorization(h http.Header) (scheme, raw, fault string) {
	values := h.Values("Authorization")
	switch len(values) {
	case 0:
		return "", "", "missing"
	case 1:
	default:
		return "", "", "invalid_request"
	}
	name, rest, ok := strings.Cut(values[0], " ")
	scheme = strings.ToLower(name)
	if !ok || (scheme != "bearer" && scheme != "dpop") {
		return "", "", "missing"
	}
	return scheme, strings.TrimLeft(rest, " "), ""
}

// refuseBearer answers as RFC 6750, section 3, and RFC 9449, section 7.1, say:
// without a token there is no error code.
func (g *Gateway) refuseBearer(w http.ResponseWriter, scheme, code, description string) {
	status, fault := http.StatusUnauthorized, ""
	switch code {
	case "missing":
	case "insufficient_scope":
		status = http.StatusForbidden
		fault = `error="insufficient_scope", error_description="` + description + `", scope="openid"`
	case "invalid_request":
		status = http.StatusBadRequest
		fault = `error="invalid_request"`
	default:
		fault = `error="` + code + `", error_description="` + description + `"`
	}
	web.SetChallenges(w.Header(), scheme, `realm="gatehouse"`, fault)
	if code == "missing" {
		web.NoStore(w)
		w.WriteHeader(status)
		return
	}
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}
