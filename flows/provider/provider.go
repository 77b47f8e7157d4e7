// Package provider says what Gatehouse needs of an identity provider. The
// implementations are in its sub-packages; others can be added as Caddy
// modules of the namespace gatehouse.providers.
package provider

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// What a provider answers. Compare with [errors.Is].
var (
	// ErrCredentials: the user name or the password is wrong. Which of the
	// two is never said, and takes the same time.
	ErrCredentials = errors.New("wrong user name or password")
	// ErrBusy: too many passwords are being checked; try again in a moment.
	ErrBusy = errors.New("too many sign-ins at once")
	// ErrUnavailable: the provider cannot be reached or answers nonsense.
	ErrUnavailable = errors.New("provider is unavailable")
	// ErrMisconfigured: the provider and the configuration do not fit, and waiting does
	// not change that: another issuer, a client secret that is refused, a certificate
	// of an unknown authority. It comes beside ErrUnavailable.
	ErrMisconfigured = errors.New("provider is not configured correctly")
	// ErrResponse: the provider's answer failed a check (signature, issuer,
	// audience, nonce, expiry, algorithm …). The sign-in is refused.
	ErrResponse = errors.New("provider's answer is not acceptable")
	// ErrGrant: the provider refused the code or refresh token for good
	// (invalid_grant).
	ErrGrant = errors.New("provider refused the grant")
	// ErrNotSpent: the code or refresh token is as good as it was. The request
	// never reached the provider, or the provider did not act on it. It comes
	// beside another of these errors.
	ErrNotSpent = errors.New("grant was not spent")
	// ErrRefused: the provider answered that it will not do this for this grant
	// (invalid_scope, unauthorized_client), which says nothing of others and may
	// change. It comes beside ErrUnavailable.
	ErrRefused = errors.New("provider refused the request")
	// ErrTarget: the provider issues no token for the resource or scopes that were
	// asked for (invalid_target, RFC 8707; consent_required …). It comes beside
	// ErrRefused, and says nothing of the grant.
	ErrTarget = errors.New("provider refused the resource")
	// ErrReauthentication: the provider neither signs somebody in again because it
	// is asked to, nor tells when it did (prompt=login, max_age); or it says that
	// it did not, and then it comes beside ErrResponse.
	ErrReauthentication = errors.New("provider does not sign anybody in again")
	// ErrWithheld: the provider withholds a claim that this configuration needs. It
	// comes with ErrResponse.
	ErrWithheld = errors.New("provider withholds what is needed")
	// ErrGone: the user is no longer known or no longer allowed.
	ErrGone = errors.New("user is gone")
)

// Provider is a source of identities. Implementations are safe for concurrent
// use and keep no state of a single sign-in: two users in their callbacks at
// once were swapped where a peer did (CVE-2026-33544).
type Provider interface {
	// Name is the provider block's name: lower case, unique, used in URLs.
	Name() string
	// Title is the name shown to people.
	Title() string
	// Issuer is the first half of every identity that it vouches for: an OpenID
	// issuer, else a URL of the provider's own; "local" for local users.
	Issuer() string
}

// NeedsClaims is a provider that requests no more claims than are needed.
type NeedsClaims interface {
	Provider
	// SetNeeds says which claims the configuration uses. It is called before the
	// provider is first used. Without it, nothing is judged.
	SetNeeds(identity.Needs)
}

// Password is a provider that checks a user name and a password itself.
type Password interface {
	Provider
	// Authenticate checks a password. Errors: ErrCredentials, ErrBusy,
	// ErrUnavailable.
	Authenticate(ctx context.Context, username, password string) (identity.Claims, error)
}

// Redirect is a provider that the browser is sent to (OAuth 2.0, OpenID
// Connect).
type Redirect interface {
	Provider
	// AuthURL is where to send the browser. ErrUnavailable when the
	// provider's metadata cannot be had. ErrReauthentication for a Prompt of
	// login, or a MaxAge, that the provider would pass over: to send somebody
	// there all the same would claim what nobody saw.
	AuthURL(ctx context.Context, r AuthRequest) (string, error)
	// Exchange turns the callback into claims. The caller has compared state
	// and browser before. Errors: ErrResponse, ErrGrant, ErrUnavailable.
	Exchange(ctx context.Context, c Callback) (Result, error)
}

// AuthRequest is one sign-in at a provider.
type AuthRequest struct {
	State       string
	Nonce       string
	Verifier    string // PKCE code verifier; the challenge is S256
	RedirectURI string
	// Prompt, LoginHint, ACRValues and MaxAge are passed on when set
	// (OpenID Connect Core, section 3.1.2.1). MaxAge < 0 is unset.
	Prompt    string
	LoginHint string
	ACRValues string
	MaxAge    time.Duration
	// Scopes to ask for beside the configured ones.
	Scopes []string
}

// Callback is what came back by way of the browser.
type Callback struct {
	Code        string
	Issuer      string // parameter iss (RFC 9207), "" if absent
	Nonce       string // of the AuthRequest
	Verifier    string
	RedirectURI string
	MaxAge      time.Duration // of the AuthRequest; < 0 unset
	Scopes      []string      // of the AuthRequest
	Prompt      string        // of the AuthRequest
	// User is the parameter of that name, by which Apple says somebody's name. It
	// comes by way of the browser, and nobody vouches for it.
	User string
}

// Checker is a provider that can be asked whether it works with the configuration.
type Checker interface {
	Provider
	// Check asks it, without signing anybody in. redirectURIs are ours. Warnings are
	// sentences for the operator. ErrUnavailable, and beside it ErrMisconfigured where
	// no waiting helps; the text names the cure.
	Check(ctx context.Context, redirectURIs []string) (warnings []string, err error)
}

// EndSessioner is a Redirect at which people can be signed out as well (OpenID Connect
// RP-Initiated Logout).
type EndSessioner interface {
	Redirect
	// SignsOut reports whether that is wanted.
	SignsOut() bool
	// EndSessionURL is where the browser goes for it, or "" if the provider has no such
	// page. The ID token of the sign-in, or "", spares the person a question.
	// ErrUnavailable.
	EndSessionURL(ctx context.Context, idToken, redirectURI, state string) (string, error)
}

// FormPoster is a Redirect whose answer may come by POST (OAuth 2.0 Form Post Response
// Mode).
type FormPoster interface {
	Redirect
	// PostsAnswers reports whether it was asked to answer so.
	PostsAnswers() bool
}

// Scoper is a Redirect that tells which scopes it asks for.
type Scoper interface {
	Redirect
	// Scopes are asked for at every sign-in, beside those of an [AuthRequest].
	Scopes() []string
}

// Prompter is a Redirect that knows which values of prompt it supports
// (prompt_values_supported: OpenID Connect Prompt Create, section 4).
type Prompter interface {
	Redirect
	// TakesPrompt reports whether the provider supports a value. It is true if the
	// provider does not say, or cannot be asked.
	TakesPrompt(ctx context.Context, prompt string) bool
}

// TokenAcceptor is a provider whose tokens for programs may be taken.
type TokenAcceptor interface {
	Provider
	// AcceptsTokens reports whether that is configured, and OnlyTokens that nobody signs
	// in there.
	AcceptsTokens() bool
	OnlyTokens() bool
	// TokenAudience is for whom such tokens must be, one of them.
	TokenAudience() []string
	// Issued reports whether a token is a JWT that says so. Nothing of it is believed
	// yet.
	Issued(token string) bool
	// AcceptToken verifies such a token. ErrResponse, ErrUnavailable.
	AcceptToken(ctx context.Context, token string) (Accepted, error)
	// Introspects reports whether the provider is asked about tokens that are no JWT.
	Introspects() bool
	// Introspect asks it (RFC 7662). ErrResponse, ErrUnavailable.
	Introspect(ctx context.Context, token string) (Accepted, error)
}

// Accepted is who a token of a provider is of, and what it is good for.
type Accepted struct {
	Claims    identity.Claims
	Scope     []string
	ExpiresAt time.Time
	// JKT is the thumbprint of the key that the token is bound to (RFC 9449), and X5T
	// that of the certificate (RFC 8705); "" for none.
	JKT, X5T string
}

// Result is a completed sign-in at a provider.
type Result struct {
	Claims identity.Claims
	// Token of the provider, for the vault; nil if it gave none.
	Token *Token
	// IDToken as received, for RP-initiated logout at the provider; "" if
	// none. It is a secret.
	IDToken string
}

// Token is a provider token as the provider issued it. All of it is secret.
type Token struct {
	AccessToken      string
	RefreshToken     string
	TokenType        string
	Scope            string
	ExpiresAt        time.Time // zero: unknown
	RefreshExpiresAt time.Time // zero: unknown
}

// String says what it is, and nothing of the secrets.
func (Token) String() string { return "provider token" }

// GoString is String, for %#v.
func (t Token) GoString() string { return t.String() }

// String says whose sign-in it is, and nothing of the secrets.
func (r Result) String() string { return "sign-in at provider " + r.Claims.Provider }

// GoString is String, for %#v.
func (r Result) GoString() string { return r.String() }

// Current is a provider that can tell without I/O whether a user whom it once
// vouched for still is one, and as what: local users live in the
// configuration. It is asked at every load and revalidation of a session.
type Current interface {
	Provider
	// Current returns the claims as they are now, or ErrGone. If the provider knows
	// the credential, it rejects claims with another fingerprint
	// (identity.Claims.Credential), and fills in a missing one.
	Current(c identity.Claims) (identity.Claims, error)
}

// Lister is a provider that can list its users.
type Lister interface {
	Current
	// IDs are what identities of its users are called (identity.Claims.ID).
	IDs() []string
}

// Refresher is a provider whose tokens can be refreshed and revoked.
type Refresher interface {
	Provider
	// Refresh obtains a fresh token. A provider that gives no new refresh
	// token has the old one kept by the caller. ErrGrant is final. After any
	// other error the provider may have spent the refresh token for one that
	// got lost, unless it is ErrNotSpent too. A refresh token that is returned
	// with an error is the one from now on, and must be kept.
	Refresh(ctx context.Context, refreshToken string, scopes []string) (Token, error)
	// Revoke tells the provider that a token is no longer wanted (RFC 7009).
	Revoke(ctx context.Context, token, hint string) error
}

// Narrower is a Refresher that narrows access tokens: the grant stays as wide as it is.
type Narrower interface {
	Refresher
	// Narrow is Refresh for an access token with these scopes alone (RFC 6749, section
	// 6; none: all of the grant's), for a resource (RFC 8707; "": for any). ErrTarget,
	// beside ErrUnavailable, if the provider issues none for them. ErrGrant
	// (invalid_grant) may be about them too.
	Narrow(ctx context.Context, refreshToken string, scopes []string, resource string) (Token, error)
}

// ServiceProvider is a provider that issues tokens for the gateway itself.
type ServiceProvider interface {
	Provider
	// ServiceToken obtains one by the grant client_credentials (RFC 6749, section
	// 4.4). Without scopes, it has the provider's default.
	ServiceToken(ctx context.Context, scopes []string) (Token, error)
}

// Rechecker is a Refresher that can tell, without the user, who the user is
// now: it is asked when the provider's access token has expired.
type Rechecker interface {
	Refresher
	// Recheck refreshes the token and returns the claims as the provider has
	// them now; those that it does not tell again stay as they were. Result
	// has a token, as of Refresh. ErrGone when the provider answers for
	// another user, ErrGrant when it refuses; both are final. The token of a
	// Result that comes with ErrUnavailable or ErrResponse is valid and must
	// be kept: the refresh token may have been spent for it. It has no access
	// token if only the refresh token can be used.
	Recheck(ctx context.Context, refreshToken string, was identity.Claims) (Result, error)
}

// TokenChecker is a provider that can look up the user of an access token. Tokens
// without a refresh token are checked by it.
type TokenChecker interface {
	Provider
	// CheckToken returns the claims as the provider has them now; claims that it
	// leaves out stay as they were. ErrGrant when it rejects the token for good (RFC
	// 6750, section 3.1), ErrGone when it answers for another user.
	CheckToken(ctx context.Context, t Token, was identity.Claims) (identity.Claims, error)
}

// Logout is what a provider told by back-channel logout: these sessions have
// ended there.
type Logout struct {
	// Subject at the provider; "" means that only Session is named.
	Subject string
	// Session is the provider's session id (sid); "" means all sessions of
	// the subject.
	Session string
	// TokenID is the token's jti. A second token with the same one is a
	// replay, which the caller refuses until ExpiresAt.
	TokenID   string
	ExpiresAt time.Time
}

// LogoutVerifier is a provider that tells of its sign-outs (OpenID Connect
// Back-Channel Logout).
type LogoutVerifier interface {
	Provider
	// TellsLogouts reports whether it has logout tokens at all: one without OpenID
	// Connect has none.
	TellsLogouts() bool
	// VerifyLogout checks a logout token. ErrResponse, ErrUnavailable.
	VerifyLogout(ctx context.Context, raw string) (Logout, error)
}
