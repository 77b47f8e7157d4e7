package flows

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// introspection is the answer of RFC 7662, section 2.2.
type introspection struct {
	Active    bool                      `json:"active"`
	Scope     string                    `json:"scope,omitempty"`
	ClientID  string                    `json:"client_id,omitempty"`
	Username  string                    `json:"username,omitempty"`
	TokenType string                    `json:"token_type,omitempty"`
	Expires   int64                     `json:"exp,omitempty"`
	IssuedAt  int64                     `json:"iat,omitempty"`
	Subject   string                    `json:"sub,omitempty"`
	Audience  []string                  `json:"aud,omitempty"`
	Issuer    string                    `json:"iss,omitempty"`
	ID        string                    `json:"jti,omitempty"`
	Cnf       *accesstoken.Confirmation `json:"cnf,omitempty"`
}

// serveIntrospect tells an authenticated client about a token that is its
// business: an access token that was issued to it or is for it, see concerns, or its
// own refresh token. Revoked, expired, unknown and foreign all look the same.
func (g *Gateway) serveIntrospect(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	req, err := g.clientRequest(r, at, givenParameters)
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	if req.client.Public {
		// A public client has not proven who it is; RFC 7662, section 2.1,
		// wants that, against scanning.
		g.writeOAuthError(w, r.Request, &oauthError{Code: "invalid_client", Description: "client authentication is required", Status: http.StatusUnauthorized})
		return
	}
	raw := r.PostForm.Get("token")
	if raw == "" {
		g.writeOAuthError(w, r.Request, invalid("invalid_request", "token is missing"))
		return
	}
	answer, err := g.introspect(r.Context(), req, raw)
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (g *Gateway) introspect(ctx context.Context, req *endpointRequest, raw string) (introspection, error) {
	if strings.HasPrefix(raw, "gtr_") {
		return g.introspectRefresh(ctx, req, raw)
	}
	claims, who, err := g.access.Verify(ctx, req.at, raw)
	switch {
	case errors.Is(err, session.ErrUnavailable), errors.Is(err, token.ErrNoKey):
		return introspection{}, err
	case err != nil:
		return introspection{}, nil
	}
	if !concerns(req.client, claims) {
		return introspection{}, nil
	}
	kind := "Bearer"
	if claims.Cnf != nil {
		kind = "DPoP"
	}
	return introspection{
		Active: true, Scope: claims.Scope, ClientID: claims.ClientID, Username: who.User, TokenType: kind,
		Expires: claims.ExpiresAt.Unix(), IssuedAt: claims.IssuedAt.Unix(), Subject: claims.Subject,
		Audience: claims.Audience, Issuer: claims.Issuer, ID: claims.ID, Cnf: claims.Cnf,
	}, nil
}

// concerns reports whether an access token is a client's business: it was issued to
// the client, or is for it (the audience names the client, or a resource that it
// is the server of). That a client may ask for tokens of a resource makes those of
// others none of its business (RFC 7662, section 4).
func concerns(c *client.Client, claims *accesstoken.Claims) bool {
	return claims.ClientID == c.ID || slices.ContainsFunc(claims.Audience, func(aud string) bool {
		return aud == c.ID || slices.Contains(c.ResourceServer, aud)
	})
}

// introspectRefresh tells a client about its own refresh token.
func (g *Gateway) introspectRefresh(ctx context.Context, req *endpointRequest, raw string) (introspection, error) {
	presented, s, err := g.refreshSession(ctx, req.at, raw)
	if err != nil {
		return introspection{}, err
	}
	if s == nil || s.Err() != nil || s.ClientID != req.client.ID || !mayRefresh(req.client, *s) ||
		s.RefreshStatus(presented.Generation) != tokenstore.RefreshCreated {
		return introspection{}, nil
	}
	if _, err := g.Sessions.Claims(*s); err != nil {
		return introspection{}, nil //nolint:nilerr // it would not be refreshed either
	}
	answer := introspection{
		Active: true, Scope: s.Scope, ClientID: s.ClientID, TokenType: "refresh_token", Subject: s.Subject,
		Expires: s.EndsAt().Unix(), IssuedAt: s.RotatedAt.Unix(), Issuer: req.at.ID(),
	}
	if s.Cnf != "" {
		answer.Cnf = &accesstoken.Confirmation{JKT: s.Cnf}
	}
	return answer, nil
}

// refreshSession finds the session of a refresh token; nil when the token is
// not one of ours.
func (g *Gateway) refreshSession(ctx context.Context, at web.Issuer, raw string) (handle.Handle, *tokenstore.Session, error) {
	presented, err := handle.ParseRefresh(g.Keyring, at.GrantIssuer(), raw)
	if err != nil {
		return presented, nil, nil
	}
	s, err := g.Store.Session(ctx, presented.ID)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return presented, nil, nil
	case err != nil:
		return presented, nil, err
	case !equal(s.SecretHash, presented.SecretHash()):
		return presented, nil, nil
	}
	return presented, &s, nil
}

// serveRevoke ends a token (RFC 7009). An unknown token is answered like one that was
// revoked, and nothing happens. Whoever presents another client's is told so (section
// 2.1), and the token stays. A store that is down is 503, since a revocation that was
// not stored did not happen (CVE-2020-15223).
func (g *Gateway) serveRevoke(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	req, err := g.clientRequest(r, at, givenParameters)
	if err == nil && r.PostForm.Get("token") == "" {
		err = invalid("invalid_request", "token is missing")
	}
	if err == nil {
		err = g.revokeToken(r.Context(), req, r.PostForm.Get("token"))
	}
	if err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusOK)
}

// foreignToken is the error for a token "issued to another client" (RFC 6749, section
// 5.2).
func foreignToken() *oauthError {
	return invalid("invalid_grant", "the token was issued to another client")
}

func (g *Gateway) revokeToken(ctx context.Context, req *endpointRequest, raw string) error {
	if strings.HasPrefix(raw, "gtr_") {
		_, s, err := g.refreshSession(ctx, req.at, raw)
		switch {
		case err != nil, s == nil:
			return err
		case s.ClientID != req.client.ID:
			return foreignToken()
		}
		return g.signouts.Revoke(ctx, s.ID)
	}
	// Whether its session lives does not matter: one that is refused already may
	// owe the store its revocation, or have been ended by a call that died before
	// it told the other nodes.
	known, err := g.access.VerifySignature(req.at, raw)
	switch {
	case errors.Is(err, token.ErrNoKey):
		return err
	case err != nil:
		return nil
	case known.Claims.ClientID != req.client.ID:
		return foreignToken()
	case known.Session != uuid.Nil:
		return g.signouts.Revoke(ctx, known.Session)
	}
	return g.access.Revoke(ctx, known.Claims.ID, known.Claims.ExpiresAt.Time)
}
