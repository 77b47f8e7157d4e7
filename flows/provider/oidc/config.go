package oidc

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Config of a Provider.
type Config struct {
	// Name of the provider block. Required.
	Name string
	// Title shown to people. Default: Name.
	Title string
	// Issuer as the provider writes it, to the letter. Required. Plain http
	// is accepted for loopback addresses only, unless InsecureHTTP is set, which
	// holds for Endpoints and InternalURL as well.
	Issuer       string
	InsecureHTTP bool
	// ClientID that the provider gave. Required, unless Accept is set: then nobody signs
	// in there.
	ClientID string
	// Accept is how tokens of programs are taken. Nil: they are not.
	Accept *Accept
	// ClientSecret; "" for a public client.
	ClientSecret string
	// MakeSecret makes the client secret anew for each request to the provider, in
	// place of ClientSecret. Apple's is a token that expires.
	MakeSecret func(now time.Time) (string, error)
	// ClientAuth is one of ClientAuthMethods. Default: private_key_jwt with a Key, none
	// without a secret, else client_secret_basic, or client_secret_post if the provider
	// advertises that alone. A code is never tried with two.
	ClientAuth string
	// Key signs the assertions of private_key_jwt (RFC 7523).
	Key *ClientKey
	// AssertionAudience is the audience of these assertions: AudienceIssuer or
	// AudienceTokenEndpoint. Default: AudienceIssuer.
	AssertionAudience string
	// Scopes to ask for. Default: openid, profile, email. openid is added.
	Scopes []string
	// AuthParams are further parameters of the authorization request. They
	// cannot replace one of the protocol's.
	AuthParams map[string]string
	// Prompt that is sent where a sign-in asks for none of its own. Default: none.
	Prompt string
	// ACRValues that are sent where a sign-in asks for none of its own. Default: none.
	ACRValues string
	// FormPost asks for the answer by POST (OAuth 2.0 Form Post Response Mode).
	FormPost bool
	// PAR pushes each authorization request (RFC 9126). It is done anyway where the
	// provider requires it.
	PAR bool
	// Endpoints take the place of those in the provider's metadata. If the
	// authorization, token and JWKS endpoints are all set, no metadata are fetched.
	Endpoints Endpoints
	// InternalURL is the origin at which the gateway reaches what is at the issuer's
	// origin for browsers: "http://keycloak:8080". Default: the issuer's.
	InternalURL string
	// HostedDomain is Google's parameter hd. When set, the ID token's claim hd
	// must be the same.
	HostedDomain string
	// IssuerCure is what else to check where no metadata are found: what an issuer of
	// this provider consists of. Default: nothing.
	IssuerCure string
	// ClientCure is what to check where the provider refuses the client (invalid_client).
	// Default: client_id, client_secret and client_auth.
	ClientCure string
	// PageFaults are what Check says of a page of the provider that has some text in
	// it, or in its address: that text, and what to do.
	PageFaults map[string]string
	// MetadataURL is where the metadata are, if not below the issuer.
	MetadataURL string
	// Tenants that may sign in, where Issuer has a TenantPlaceholder. Default: all.
	Tenants []string
	// IdentityNamespace tells the people of two providers of one issuer apart.
	// Default: none.
	IdentityNamespace string

	// UserClaim is the claim that becomes Claims.User; a sign-in without it
	// is refused, and of "email" only a verified address counts. Default: the verified
	// e-mail address, else NAME:sub.
	UserClaim string
	// GroupsClaim holds the groups. A name that is no claim itself is read as a
	// path ("realm_access.roles"). Default: "groups".
	GroupsClaim string
	// GroupsAs is the shape of the groups, one of GroupShapes. Default: a list of
	// strings, or one string that can only be one group. Groups of another shape
	// are not known: see the package's documentation.
	GroupsAs string
	// GroupsAreIDs is for a provider of many tenants, each of which names its groups as it
	// likes: groups that are not all UUIDs are not known.
	GroupsAreIDs bool
	// ExtraClaims are kept in Claims.Extra, up to 4 KiB each and 6 KiB of a user. Like
	// GroupsClaim each is a claim's name, else a path. A claim that is larger is not
	// known.
	ExtraClaims []string
	// AccessTokenClaims are ExtraClaims that are read from the access token, which must
	// be a JWT that the provider signed. GroupsClaim may be among them.
	AccessTokenClaims []string
	// TrustEmail are domains. An e-mail address of one of them, itself and not a
	// subdomain, counts as verified if the claim email_verified is missing: right
	// where only the operator can set addresses. An address that the provider calls
	// unverified stays so.
	TrustEmail []string
	// SignOut: who signs out here is signed out at the provider, too.
	SignOut bool
	// DomainClaim names the claim that says whose domain an account belongs to. Rules
	// that allow by a domain count an address only if that claim is its domain, or if
	// the claim is missing and the domain is one of DomainsWithout. Default: none.
	DomainClaim    string
	DomainsWithout []string
	// VerifiedClaim says that an address is verified, beside email_verified.
	VerifiedClaim string
	// GroupsOverageURL is asked for the groups of somebody who has too many for a
	// token, with the access token, as Microsoft Graph's getMemberObjects is. Default:
	// they are not known.
	GroupsOverageURL string
	// GroupsScope is requested too where groups are needed and the metadata list it, or
	// at a provider that is Plain, where a rule is about groups.
	GroupsScope string
	// GroupsInAccessToken looks for the groups in the access token too, after the ID
	// token and before userinfo. The access token must be as for AccessTokenClaims.
	GroupsInAccessToken bool
	// UserParameter takes the name from the parameter user of the answer, which Apple
	// sends at the first sign-in. It comes by way of the browser.
	UserParameter bool
	// Plain is OAuth 2.0 without OpenID Connect: there is no ID token, and userinfo
	// alone says who somebody is. The authorization, token and userinfo endpoints are
	// required then.
	Plain bool
	// ClaimNames says what in the answer of userinfo is which claim, as a name or path.
	ClaimNames map[string]string
	// TrustPrompt takes prompt=login for done by whoever comes back with a code, at a
	// provider that does not tell auth_time. A person can take the prompt out of the
	// address on the way, so it proves nothing by itself.
	TrustPrompt bool
	// UserInfo is when the userinfo endpoint is asked, one of UserInfoModes.
	// Default: UserInfoAuto.
	UserInfo string

	// RootCAs verify the provider's certificates. Default: the system's.
	RootCAs *x509.CertPool
	// HTTPClient whose transport is used. Default: a new one.
	HTTPClient *http.Client
	// Now is the clock. Required.
	Now func() time.Time
	// Random makes the ids of assertions. Default: crypto/rand's.
	Random io.Reader
	// Logger for failed fetches. Default: none.
	Logger *slog.Logger
}

// String is the provider's name, and nothing of the secret.
func (c Config) String() string { return "provider " + c.Name }

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }
