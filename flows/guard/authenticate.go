package guard

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// How says how a site takes what a request brings. The zero How is the usual.
type How struct {
	// Uncounted says that a request with a session's cookie is no use of the session.
	Uncounted bool
	// Token is where an access token may stand.
	Token accesstoken.Places
	// URI is the request URI as the client sent it. Default: the request's.
	URI string
}

// Authenticate returns the verified identity of a request to a guarded site, by
// its session cookie or its access token. host is as requested; secure tells
// whether the client came by https. A warm session costs no I/O.
//
// Errors, all to be given to [Guard.Challenge]: [session.ErrNoSession] when
// nobody is signed in, [session.ErrUnavailable] when that cannot be told now,
// [ErrToken] for an access token of ours that does not open this site,
// [accesstoken.ErrTwoCredentials].
func (g *Guard) Authenticate(r *http.Request, host string, secure bool, how How) (*identity.Identity, error) {
	var sessions web.Sessions = g.Sessions
	if how.Uncounted {
		sessions = session.Uncounted{Manager: g.Sessions}
	}
	id, err := web.FromCookies(r.Context(), sessions, r.Header, web.SessionCookieName(web.SiteCookie, secure), web.ClientOf(host))
	if g.Keys == nil || len(r.Header["Authorization"])+len(r.Header[accesstoken.OwnHeader]) == 0 {
		return id, err
	}
	t, fault := g.Access.Presented(r.Header, host, how.Token)
	switch {
	case fault != nil:
		return nil, fault
	case t.Raw == "":
		return id, err
	case id != nil:
		return nil, accesstoken.ErrTwoCredentials
	}
	return g.fromBearer(r, host, secure, t, cmp.Or(how.URI, r.RequestURI))
}

// ErrToken: an access token of ours is not valid here.
var ErrToken = errors.New("access token is not valid here")

// tokenError is [ErrToken] with its cause, which the log names and callers do not tell
// apart: a token of a session that has ended is not a request without one.
type tokenError struct{ cause error }

func (e *tokenError) Error() string { return ErrToken.Error() + ": " + e.cause.Error() }

func (*tokenError) Is(target error) bool { return target == ErrToken } //nolint:errorlint // the sentinel itself

// audienceError is [ErrToken] for a token that is good elsewhere.
type audienceError struct{ resource, user, client string }

func (e *audienceError) Error() string {
	return "the access token is not for this site; ask for it with resource=" + e.resource + " (RFC 8707)"
}

func (*audienceError) Is(target error) bool { return target == ErrToken } //nolint:errorlint // the sentinel itself

// fromBearer verifies an access token: it is of the site's issuer, and its
// audience holds the resource that the request is of.
func (g *Guard) fromBearer(r *http.Request, host string, secure bool, t accesstoken.Credential, uri string) (*identity.Identity, error) {
	at, origin := g.IssuerAt(host, secure)
	claims, id, err := g.Access.VerifyPresented(r.Context(), at, t)
	switch {
	case errors.Is(err, session.ErrUnavailable), errors.Is(err, token.ErrNoKey):
		return nil, session.ErrUnavailable
	case err != nil:
		return nil, &tokenError{err}
	case !g.Resources.Opens(claims.Audience, origin, uri):
		return nil, &audienceError{resource: origin + g.ResourceOf(origin, uri), user: id.User, client: id.ClientID}
	}
	if claims.Cnf != nil || t.Scheme == "dpop" {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		if err := g.Access.CheckBinding(&web.Request{Request: r}, origin+path, claims, t.Scheme, t.Raw); err != nil {
			if !errors.Is(err, accesstoken.ErrProof) {
				return nil, fmt.Errorf("%w: %w", session.ErrUnavailable, err)
			}
			return nil, &tokenError{err}
		}
	}
	if id.SessionID.ID() == 0 && id.TokenID != "" {
		if t.Scheme != accesstoken.SchemeBasic {
			return id, nil
		}
		with := *id
		with.TokenScheme = t.Scheme
		return &with, nil
	}
	with := *id
	with.Scope, with.TokenID, with.TokenScheme = strings.Fields(claims.Scope), claims.ID, t.Scheme
	// A token says what was proved when it was issued, and is raised by nothing.
	with.ACR, with.AuthTime, with.Levels = claims.ACR, time.Time{}, nil
	if claims.AuthTime > 0 {
		with.AuthTime = time.Unix(claims.AuthTime, 0)
	}
	with.SelfRegistered = g.IsSelfRegistered != nil && g.IsSelfRegistered(claims.ClientID)
	return &with, nil
}

// IssuerAt is the issuer of a site, and the site's origin.
func (g *Guard) IssuerAt(host string, secure bool) (web.Issuer, string) {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	origin := scheme + "://" + web.CanonicalHost(scheme, host)
	if g.hasPortal() {
		return g.Portal, origin
	}
	return web.SiteIssuer(origin, web.ClientOf(host)), origin
}
