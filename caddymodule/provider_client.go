package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// OIDCClient is how Gatehouse is known at a provider by OpenID Connect.
type OIDCClient struct {
	// The client id. Required. Accepts global placeholders.
	ClientID string `json:"client_id,omitempty"`
	// The client secret; a public client has none. Accepts global
	// placeholders, and should be one.
	ClientSecret string `json:"client_secret,omitempty"` //nolint:gosec // a placeholder, as a rule
	// How the client authenticates: `basic`, `post`, `private_key_jwt` or `none`.
	// Default: `none` without a secret, else `basic`, or `post` if the provider
	// advertises that alone.
	ClientAuth string `json:"client_auth,omitempty"`
	// The file with the private key of `private_key_jwt`: a JWK, a JWKS, or PEM.
	// Accepts global placeholders.
	ClientKey string `json:"client_key,omitempty"`
	// The key's id (kid). Default: that in the file, if any.
	ClientKeyID string `json:"client_key_id,omitempty"`
	// The audience of the assertions that the key signs: `issuer` or
	// `token_endpoint`. Default: `issuer`.
	AssertionAudience string `json:"assertion_audience,omitempty"`

	// What to ask for. Default: `openid profile email`.
	Scopes []string `json:"scopes,omitempty"`
	// Further parameters of the authorization request. Values accept global
	// placeholders.
	AuthParams map[string]string `json:"auth_params,omitempty"`
	// The prompt that is sent where a sign-in needs none of its own, such as
	// `select_account`. Default: none.
	Prompt string `json:"prompt,omitempty"`
	// The acr_values that are sent where a client asks for none. Default: none.
	ACRValues []string `json:"acr_values,omitempty"`
	// How the provider answers: `query` or `form_post`. Default: `query`.
	ResponseMode string `json:"response_mode,omitempty"`
	// Whether prompt=login is taken for done, at a provider that does not say when
	// somebody signed in (auth_time). People can take the prompt out of the address on
	// the way, unless requests are pushed. Default: false; a client that asks for it
	// is refused then.
	TrustPrompt bool `json:"trust_prompt,omitempty"`
	// Whether authorization requests are pushed (RFC 9126) although the provider does
	// not require it. Default: false.
	PAR bool `json:"par,omitempty"`

	// Whether who signs out here is signed out at the provider, too. Default: false.
	SignOut bool `json:"sign_out,omitempty"`
	// Tells the people of this block apart from those of another with the same issuer,
	// such as a second client at one Keycloak. Do not change it: everybody would be
	// somebody new. Default: none; two blocks of one issuer are then refused.
	IdentityNamespace string `json:"identity_namespace,omitempty"`

	// Endpoints in place of those in the provider's metadata: `authorization`,
	// `token`, `userinfo`, `jwks`, `revocation`, `end_session`,
	// `pushed_authorization`. With the first three but userinfo no metadata are
	// fetched. Values accept global placeholders.
	Endpoints map[string]string `json:"endpoints,omitempty"`
	// The origin at which the gateway reaches what browsers reach at the issuer's,
	// such as `https://keycloak:8443`. Default: the issuer's. Accepts global
	// placeholders.
	InternalURL string `json:"internal_url,omitempty"`
	// Whether the provider may be reached by plain http, in a network that is yours
	// alone. Default: only on loopback.
	InsecureHTTP bool `json:"insecure_http,omitempty"`
	// The authorities that the provider's certificates are verified by. Default: the
	// system's.
	TLSTrustPoolRaw json.RawMessage `json:"tls_trust_pool,omitempty" caddy:"namespace=tls.ca_pool.source inline_key=provider"`

	// The claim that holds the groups; a name that no claim has is read as a path,
	// such as `realm_access.roles`. Default: `groups`.
	GroupsClaim string `json:"groups_claim,omitempty"`
	// The shape of the groups there: `name` or `id` for a list of objects whose
	// member of that name is the group, `keys` for an object whose names are the
	// groups, `comma_separated` or `space_separated` for one string. Default: a list
	// of strings, or one string that can only be one group. Groups in another shape
	// cannot be read, and rules about groups refuse their user.
	GroupsAs string `json:"groups_as,omitempty"`
	// When the userinfo endpoint is asked: `auto`, if the ID token lacks what the
	// configuration needs; `always`; or `never`. Default: `auto`.
	UserInfo string `json:"userinfo,omitempty"`
	// The claim that names the user to policies and upstreams. Default: the
	// verified e-mail address, else `PROVIDER:sub`.
	UserClaim string `json:"user_claim,omitempty"`
	// Further claims that are kept, for rules, headers and tokens: by name, else by a
	// path such as `realm_access.roles`; from the ID token, else from userinfo. Of
	// each up to 4 KiB are kept, of all of a user 6 KiB. Default: none.
	Claims []string `json:"claims,omitempty"`
	// Those that are read from the access token, which must be a JWT that the provider
	// signed. `groups_claim` may name one of them. Default: none.
	AccessTokenClaims []string `json:"access_token_claims,omitempty"`
	// Domains whose addresses count as verified where the provider does not say
	// whether they are. Not possible where anybody can open an account. Default:
	// none.
	TrustEmail []string `json:"trust_email,omitempty"`

	// How tokens are taken that the provider itself issued to programs, by the guards
	// that name it. Without a client id nobody signs in at the provider. Default: none
	// are.
	AcceptTokens *AcceptTokens `json:"accept_tokens,omitempty"`

	thumbprint string  // of the key, since provision
	plain      []error // places in the Caddyfile of addresses that need insecure_http
}

// clientConfig is a client whose placeholders are replaced and whose files are read.
type clientConfig struct {
	OIDCClient

	key    *oidc.ClientKey
	accept *oidc.Accept
	roots  caddytls.CA
}

// provision replaces placeholders and reads files. open reports whether anybody can
// open an account at the provider.
func (c *OIDCClient) provision(ctx caddy.Context, open bool) (clientConfig, error) {
	p := clientConfig{OIDCClient: *c}
	var mistakes []error
	for _, option := range []struct {
		name  string
		value *string
	}{{"client_id", &p.ClientID}, {"client_secret", &p.ClientSecret}, {"client_key", &p.ClientKey}, {"internal_url", &p.InternalURL}} {
		if *option.value == "" && (option.name != "client_id" || c.AcceptTokens != nil) {
			continue
		}
		var err error
		*option.value, err = expand(option.name, *option.value)
		mistakes = append(mistakes, err)
	}
	var err error
	p.accept, err = c.AcceptTokens.accept()
	mistakes = append(mistakes, err, c.checkAccept())
	p.AuthParams, err = expandAll("auth_params", c.AuthParams)
	mistakes = append(mistakes, err)
	p.Endpoints, err = expandAll("endpoints", c.Endpoints)
	mistakes = append(mistakes, err)
	if open && len(c.TrustEmail) > 0 {
		mistakes = append(mistakes, errTrustOpen)
	}
	if p.ClientKey != "" {
		if p.key, err = readClientKey(p.ClientKey, p.ClientKeyID); err == nil {
			c.thumbprint = p.key.Thumbprint()
		}
		mistakes = append(mistakes, err)
	}
	if c.TLSTrustPoolRaw != nil {
		p.roots, err = loadTrustPool(ctx, c)
		mistakes = append(mistakes, err)
	}
	return p, together(mistakes...)
}

var errTrustOpen = errors.New("trust_email: anybody can open an account at this provider and give any address, so only what it calls verified can count")

func expandAll(option string, values map[string]string) (map[string]string, error) {
	expanded := make(map[string]string, len(values))
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		var err error
		expanded[name], err = expand(option+" "+name, values[name])
		mistakes = append(mistakes, err)
	}
	return expanded, together(mistakes...)
}

func readClientKey(file, kid string) (*oidc.ClientKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("client_auth private_key_jwt: %w", err)
	}
	key, err := oidc.ParseClientKey(raw, kid)
	if err != nil {
		return nil, fmt.Errorf("client_auth private_key_jwt: %s: %w", file, err)
	}
	return key, nil
}

// loadTrustPool loads the field TLSTrustPoolRaw of a provider module.
func loadTrustPool(ctx caddy.Context, of any) (caddytls.CA, error) {
	module, err := ctx.LoadModule(of, "TLSTrustPoolRaw")
	if err != nil {
		return nil, fmt.Errorf("tls_trust_pool: %w", err)
	}
	roots, ok := module.(caddytls.CA)
	if !ok {
		return nil, fmt.Errorf("tls_trust_pool: module %T is not a caddytls.CA", module)
	}
	return roots, nil
}

// keyThumbprint identifies the key that the client authenticates by; "" without one.
func (c *OIDCClient) keyThumbprint() string { return c.thumbprint }

// userNames implements [namedUsers].
func (c *OIDCClient) userNames() userNames {
	return userNames{emails: c.UserClaim == "" || c.UserClaim == "email", anything: c.UserClaim != "" && c.UserClaim != "email"}
}

// methods are the words of client_auth for what the standards call them.
var methods = map[string]string{
	"basic": "client_secret_basic", "post": "client_secret_post", "private_key_jwt": "private_key_jwt", "none": "none",
}

// config is what the client says, for package oidc.
func (c clientConfig) config(b ProviderBlock) oidc.Config {
	config := oidc.Config{
		Name: b.Name, Title: b.Title, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		ClientAuth: methods[c.ClientAuth], Key: c.key, AssertionAudience: c.AssertionAudience,
		Scopes: b.withOffline(c.Scopes), AuthParams: c.AuthParams, Prompt: c.Prompt, ACRValues: strings.Join(c.ACRValues, " "),
		FormPost: c.ResponseMode == "form_post", PAR: c.PAR, TrustPrompt: c.TrustPrompt, SignOut: c.SignOut, IdentityNamespace: c.IdentityNamespace,
		InternalURL: c.InternalURL, InsecureHTTP: c.InsecureHTTP,
		GroupsClaim: c.GroupsClaim, GroupsAs: c.GroupsAs, UserClaim: c.UserClaim, UserInfo: c.UserInfo, TrustEmail: c.TrustEmail,
		ExtraClaims: c.Claims, AccessTokenClaims: c.AccessTokenClaims,
		Accept: c.accept, Now: time.Now, Logger: b.Logger,
	}
	for name, endpoint := range config.Endpoints.Named() {
		*endpoint = c.Endpoints[name]
	}
	if c.roots != nil {
		config.RootCAs = c.roots.CertPool()
	}
	if c.InsecureHTTP {
		b.Logger.Warn("a provider may be reached by plain http: whoever is in that network can sign in as anybody", "provider", b.Name)
	}
	return config
}
