package client

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// The ways in which a client proves who it is (RFC 6749, section 2.3; OpenID
// Connect Core, section 9).
const (
	MethodNone          = "none"
	MethodBasic         = "client_secret_basic"
	MethodPost          = "client_secret_post"
	MethodPrivateKeyJWT = "private_key_jwt"
)

// Client is one registered client. It is not changed after it is in use.
type Client struct {
	ID string
	// Title for people. Default: ID.
	Title string
	// Public clients have no secret; PKCE is all that protects their codes.
	Public bool
	// Secrets, any of which is good, so that one can be changed without a gap.
	Secrets []Secret
	// Keys of private_key_jwt, by kid.
	Keys map[string]clientjwt.Key
	// FirstParty clients need no consent.
	FirstParty bool
	// SelfRegistered clients are not in the configuration: all that is known of one is
	// what it said itself. It may go only where guards let such clients in.
	SelfRegistered bool
	// Document is the digest of the metadata document that says what the client is, once
	// it was read; else "".
	Document string
	// Policy decides which subjects the client may act for. Nil: everybody
	// who may sign in.
	Policy policy.Decider

	// RedirectURIs, whose web origins are also those of the client's pages; see
	// Origins.
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackchannelLogoutURI   string
	// ResponseModes by which codes may be sent: query, fragment and form_post. Default:
	// query. A client that listens for one must not be sent codes by another (RFC 9700,
	// section 4.1.3).
	ResponseModes []string
	// NativeSchemes without a dot, such as cursor, that redirect URIs may have (RFC
	// 8252, section 8.4).
	NativeSchemes []string
	// Grants default to authorization_code and refresh_token, and for a client
	// without redirect URIs that is a ResourceServer, MayExchange or MayActFor to none.
	Grants []string
	// Scopes that may be asked for. Default: openid profile email. Validate adds
	// those for MayExchange.
	Scopes []string
	// MayExchange names the providers of which the client may have people's access
	// tokens, by [GrantTokenExchange]. A public client needs the person's consent
	// for each, see [ProviderScope].
	MayExchange []string
	// MayActFor names the providers of which the client may have the access tokens of
	// people who are away, each of whom it names by [TypeSubject]. A person must have
	// allowed it on their own page, unless ActPolicy does, and can forbid it there. The
	// client must have Keys and no Secrets.
	MayActFor []string
	// ActPolicy decides which people need not be asked for MayActFor. Nil: all are.
	ActPolicy policy.Decider
	// Claims are further ones of the user's that the client is told.
	Claims []Claim
	// Audience of access tokens when no resource is asked for. Default: the
	// issuer, which is added with the scope openid: userinfo wants it.
	Audience string
	// Resources that may be asked for (RFC 8707). Default: any guarded site's for a
	// first-party client, and for one that acts for itself (client_credentials); none
	// for others, which people would let in everywhere.
	Resources []string
	// ResourceServer names the resources that the client is the server of: it may
	// introspect all tokens whose audience holds one of them. Resources and
	// Audience, which the client asks for, give no such right.
	ResourceServer []string
	// RefreshTokens says which refresh tokens the client gets. Default:
	// [RefreshOffline].
	RefreshTokens RefreshTokens
	// defaulted: Validate chose the RefreshTokens, so that it does not take them for
	// the operator's when it is called again.
	defaulted bool
	// RefreshGrace is how long the refresh token before the current one is still
	// answered with the current one, at most [MaxRefreshGrace]. Default: 30 seconds. A
	// client that proves itself, by its own credentials or the key that its tokens are
	// bound to, is not held to it; see [Client.GraceOf].
	RefreshGrace time.Duration
	// AssertionAudience is what the aud of the client's assertions may be: [AudienceIssuer]
	// (default) or [AudienceTokenEndpoint].
	AssertionAudience string
	// AccessTokenLifetime, at most [MaxAccessTokenLifetime]. Default: 20 minutes.
	AccessTokenLifetime time.Duration
	// IDTokenAlgorithm signs ID tokens and logout tokens: RS256 (default), which all
	// clients can verify and many expect if nothing else was agreed on (OpenID Connect
	// Registration, section 2), ES256 or EdDSA.
	IDTokenAlgorithm string
	// AccessTokenAlgorithm signs access tokens: ES256 (default), EdDSA or RS256. A
	// signature of RS256 costs thirty times as much.
	AccessTokenAlgorithm string
	// RequirePAR and RequireDPoP refuse requests without (RFC 9126, RFC 9449).
	RequirePAR, RequireDPoP bool
}

// DefaultAccessTokenLifetime is how long an access token is good.
const DefaultAccessTokenLifetime = 20 * time.Minute

// MaxAccessTokenLifetime is the longest that an access token can be good: the key
// that signed it is published for little longer once another has taken its place.
const MaxAccessTokenLifetime = 24 * time.Hour

// Validate fills in defaults and names the first fault. It may be called again.
func (c *Client) Validate() error {
	if c.ID == "" || len(c.ID) > 255 {
		return fmt.Errorf("client %q: the id must have 1 to 255 bytes", c.ID)
	}
	for i := 0; i < len(c.ID); i++ {
		// RFC 6749, appendix A.1; a colon would end it in Basic.
		if b := c.ID[i]; b <= ' ' || b >= 0x7f || b == ':' {
			return fmt.Errorf("client %q: the id must be printable ASCII without spaces and colons", c.ID)
		}
	}
	if c.Title == "" {
		c.Title = c.ID
	}
	switch {
	case c.Grants != nil:
	case len(c.ResourceServer)+len(c.MayExchange)+len(c.MayActFor) > 0 && len(c.RedirectURIs) == 0:
		c.Grants = []string{}
	default:
		c.Grants = []string{GrantCode, GrantRefresh}
	}
	if c.Scopes == nil {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	if c.AccessTokenLifetime == 0 {
		c.AccessTokenLifetime = DefaultAccessTokenLifetime
	}
	if err := c.validateAlgorithms(); err != nil {
		return err
	}
	if err := c.validateResponseModes(); err != nil {
		return err
	}
	if err := c.validateGrace(); err != nil {
		return err
	}
	if err := c.validateAssertionAudience(); err != nil {
		return err
	}
	if c.AccessTokenLifetime < time.Second || c.AccessTokenLifetime > MaxAccessTokenLifetime {
		return fmt.Errorf("client %q: access tokens can live from a second to %v, not %v; a refresh token gets new ones",
			c.ID, MaxAccessTokenLifetime, c.AccessTokenLifetime)
	}
	if err := c.validateRefreshTokens(); err != nil {
		return err
	}
	if err := c.validateExchange(); err != nil {
		return err
	}
	if err := c.validateActing(); err != nil {
		return err
	}
	if err := c.validateClaims(); err != nil {
		return err
	}
	if err := c.validateAddresses(); err != nil {
		return fmt.Errorf("client %q: %w", c.ID, err)
	}
	return c.validateGrants()
}

// validateAddresses judges what is only used when a person has long signed in,
// and would fail where nobody sees it.
func (c *Client) validateAddresses() error {
	for _, s := range c.Scopes {
		if scope, err := ParseScope(s); err != nil || len(scope) != 1 {
			return fmt.Errorf("scope %q is not possible (RFC 6749, section 3.3)", s)
		}
	}
	for _, scheme := range c.NativeSchemes {
		if err := validateNativeScheme(scheme); err != nil {
			return err
		}
	}
	for _, uri := range c.PostLogoutRedirectURIs {
		if err := c.validateRedirectURI(uri); err != nil {
			return fmt.Errorf("post_logout_%w", err)
		}
	}
	for _, uri := range c.Resources {
		if u, err := url.Parse(uri); err != nil || u.Scheme == "" || strings.Contains(uri, "#") {
			return fmt.Errorf("resource %q is not an absolute URI without a fragment (RFC 8707, section 2)", uri)
		}
	}
	if c.BackchannelLogoutURI == "" {
		return nil
	}
	u, err := url.Parse(c.BackchannelLogoutURI)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Contains(c.BackchannelLogoutURI, "#") {
		return fmt.Errorf("backchannel_logout_uri %q is not an http or https URL without a fragment", c.BackchannelLogoutURI)
	}
	return nil
}

func (c *Client) validateGrants() error {
	if err := c.validateGrantNames(); err != nil {
		return err
	}
	hasProof := len(c.Secrets) > 0 || len(c.Keys) > 0
	switch {
	case c.Public && hasProof:
		return fmt.Errorf("client %q is public and has a secret or key: choose one", c.ID)
	case c.Public && len(c.ResourceServer) > 0:
		return fmt.Errorf("client %q is public: a resource server needs a secret or key to introspect tokens (RFC 7662, section 2.1)", c.ID)
	case !c.Public && !hasProof:
		return fmt.Errorf("client %q has neither a secret nor a key: write `public` if it can keep none", c.ID)
	}
	if err := c.checkGrants(); err != nil {
		return err
	}
	for _, uri := range c.RedirectURIs {
		if err := c.validateRedirectURI(uri); err != nil {
			return fmt.Errorf("client %q: %w", c.ID, err)
		}
	}
	return nil
}
