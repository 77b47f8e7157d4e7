package flows

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// maxToken is how long an access or ID token may be, in bytes. Those of a person
// of whose groups a session holds no more (16 KiB) are shorter: what is issued must
// be taken again, and told from what is the upstream's.
const maxToken = 32 << 10

// verifyAccess checks an access token of an issuer of ours: signature (once),
// expiry, and that its session lives. Errors: token.ErrToken, token.ErrNoKey,
// session.ErrNoSession, session.ErrUnavailable.
func (g *Gateway) verifyAccess(ctx context.Context, at web.Issuer, raw string) (*accessClaims, *identity.Identity, error) {
	if g.Keys == nil || len(raw) > maxToken {
		return nil, nil, token.ErrToken
	}
	now := g.Now()
	sum := sha256.Sum256([]byte(raw))
	known := g.remembered(sum, now)
	if known == nil {
		var err error
		if known, err = g.verifyNew(at, raw); err != nil {
			return nil, nil, err
		}
		g.bearers.put(sum, known, now)
	}
	return g.confirm(ctx, at, known)
}

// remembered is a token that was verified before, by a key that is still among
// ours, or nil: a key that is gone takes with it what it signed.
func (g *Gateway) remembered(sum [sha256.Size]byte, now time.Time) *bearer {
	known := g.bearers.get(sum, now)
	if known == nil || g.Keys == nil || !g.Keys.Holds(known.key) {
		return nil
	}
	return known
}

// verifyPresented is verifyAccess for a token that may be known already.
func (g *Gateway) verifyPresented(ctx context.Context, at web.Issuer, t presented) (*accessClaims, *identity.Identity, error) {
	if t.known == nil {
		return g.verifyAccess(ctx, at, t.raw)
	}
	return g.confirm(ctx, at, t.known)
}

// confirm checks of a token that was verified what may have changed since.
func (g *Gateway) confirm(ctx context.Context, at web.Issuer, known *bearer) (*accessClaims, *identity.Identity, error) {
	if known.claims.Issuer != at.ID() {
		return nil, nil, token.ErrToken
	}
	if known.who != nil {
		if err := g.knowTokenIDs(ctx); err != nil {
			return nil, nil, fmt.Errorf("%w: learning of revoked tokens: %w", session.ErrUnavailable, err)
		}
		if g.bearers.isDenied(known.claims.ID) {
			return nil, nil, token.ErrToken
		}
		return known.claims, known.who, nil
	}
	who, err := g.Sessions.Live(ctx, known.session)
	if err != nil {
		return nil, nil, err
	}
	if who.ClientID != known.claims.ClientID || who.Subject != known.claims.Subject {
		return nil, nil, token.ErrToken
	}
	return known.claims, who, nil
}

func (g *Gateway) verifyNew(at web.Issuer, raw string) (*bearer, error) {
	claims := &accessClaims{}
	key, err := g.Keys.VerifySigner(raw, token.TypeAccess, at.ID(), claims)
	if err != nil {
		return nil, err
	}
	if claims.Subject == "" || claims.ClientID == "" || claims.ID == "" || len(claims.Audience) == 0 || claims.IssuedAt == nil {
		return nil, token.ErrToken
	}
	// The leeway of Verify is for clocks that differ; this token is our own.
	if !g.Now().Before(claims.ExpiresAt.Time) {
		return nil, token.ErrToken
	}
	b := &bearer{claims: claims, key: key, expires: claims.ExpiresAt.Time}
	// A thief of the key can write any exp.
	if latest := g.Now().Add(g.longestToken); latest.Before(b.expires) {
		b.expires = latest
	}
	if claims.SessionID == "" {
		b.who = &identity.Identity{
			Claims: clientClaims(at, claims.ClientID), Subject: claims.Subject, ClientID: claims.ClientID,
			Scope: strings.Fields(claims.Scope), TokenID: claims.ID, TokenExpires: claims.ExpiresAt.Time, TokenKey: key,
		}
		return b, nil
	}
	id, err := uuid.Parse(claims.SessionID)
	if err != nil {
		return nil, token.ErrToken
	}
	b.session = id
	return b, nil
}

// revokeTokenID refuses an access token that has no session. It does not stop when
// ctx ends: of what is stored the other nodes must be told.
func (g *Gateway) revokeTokenID(ctx context.Context, jti string, until time.Time) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	if err := g.Store.RevokeTokenID(ctx, jti, until); err != nil {
		return err
	}
	g.bearers.deny(tokenstore.RevokedTokenID{ID: jti, Until: until})
	if err := g.Cache.Announce(ctx, cache.Announcement{TokenIDs: []string{jti}}); err != nil {
		g.Logger.WarnContext(ctx, "announcing a revoked token failed; other nodes learn of it soon", "error", err)
	}
	return nil
}

// presented is an access token that a request brings and that our issuer claims
// to have signed.
type presented struct {
	raw    string
	scheme string  // "bearer" or "dpop"
	known  *bearer // if it was verified before
}

// bearerOf returns the token of an Authorization header if our issuer claims to
// have signed it, else the zero one. Others (Basic, another issuer's) are the
// upstream's business.
func (g *Gateway) bearerOf(h http.Header, host string) (found presented, err error) {
	values := h["Authorization"]
	for _, v := range values {
		name, rest, ok := strings.Cut(v, " ")
		if !ok {
			continue
		}
		t := presented{raw: strings.TrimLeft(rest, " ")}
		switch {
		case strings.EqualFold(name, "Bearer"):
			t.scheme = "bearer"
		case strings.EqualFold(name, "DPoP"):
			t.scheme = "dpop"
		default:
			continue
		}
		if t.known, ok = g.claimsOurs(t.raw, host); !ok {
			continue
		}
		if len(values) > 1 {
			return presented{}, ErrTwoCredentials
		}
		found = t
	}
	return found, nil
}

// claimsOurs tells whether a token names the host's issuer, whether or not this
// node has verified it before; nothing of it is believed unless it has. Where each
// site is an issuer, another site's token is another issuer's.
func (g *Gateway) claimsOurs(raw, host string) (known *bearer, ours bool) {
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return nil, strings.HasPrefix(raw, "gts_") || strings.HasPrefix(raw, "gtr_")
	}
	if known = g.remembered(sha256.Sum256([]byte(raw)), g.Now()); known != nil {
		if !g.isIssuerOf(known.claims.Issuer, host) {
			return nil, false
		}
		return known, true
	}
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &claims); err != nil {
		return nil, false
	}
	return nil, g.isIssuerOf(claims.Issuer, host)
}

// isIssuerOf tells whether an issuer is the one of a host's site.
func (g *Gateway) isIssuerOf(issuer, host string) bool {
	if g.HasPortal() {
		return issuer == g.portal.ID()
	}
	origin, ok := strings.CutSuffix(issuer, strings.TrimSuffix(web.Prefix, "/"))
	scheme, name, _ := strings.Cut(origin, "://")
	return ok && (scheme == "https" || scheme == "http") && name == web.CanonicalHost(scheme, host)
}

// mayOpen tells whether a token opens a site: its audience holds the origin.
func mayOpen(claims *accessClaims, origin string) bool {
	return slices.Contains(claims.Audience, origin) || slices.Contains(claims.Audience, origin+"/")
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
