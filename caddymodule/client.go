package caddymodule

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// shortSecret is below what a client secret should have; RFC 6819, section
// 5.1.4.2.2, asks for 128 bits of chance, which are 22 characters of base64.
const shortSecret = 22

// gateClient is the built-in public client of the command `gate`.
const gateClient = "gate"

// ClientConfig is a program that may ask for tokens.
type ClientConfig struct {
	// The client id.
	ID string `json:"id"`
	// What people see when they are asked. Default: the id.
	Title string `json:"title,omitempty"`
	// Whether the client can keep no secret: an app on somebody's machine.
	Public bool `json:"public,omitempty"`
	// Client secrets, any of which is good: the secret itself, or a hash of
	// `caddy hash-password`. Accepts global placeholders.
	Secrets []string `json:"secrets,omitempty"`
	// A file with the client's public keys (a JWKS), for private_key_jwt. Keys
	// for something else than signatures are passed over. The client's assertions must name the issuer as their audience and expire
	// within an hour.
	JWKSFile string `json:"jwks_file,omitempty"`
	// Whether people are not asked for consent.
	FirstParty bool `json:"first_party,omitempty"`
	// The policy that says whom the client may act for. Default: everybody
	// who may sign in.
	Policy string `json:"policy,omitempty"`
	// Where browsers may be sent back to, exactly. Pages of these addresses'
	// origins may call the token endpoint and its kin by themselves (CORS).
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	// Where browsers may be sent after a sign-out, exactly.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// How answers may be sent to the redirect URIs: query, fragment, form_post. Default:
	// query.
	ResponseModes []string `json:"response_modes,omitempty"`
	// Schemes without a dot that redirect URIs may have, such as cursor. Any app can
	// claim them, so people are asked for their consent even by a first-party client.
	NativeSchemes []string `json:"native_schemes,omitempty"`
	// Where to tell the client that a session has ended.
	BackchannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// The grants. Default: authorization_code and refresh_token; none for a resource
	// server without redirect URIs.
	Grants []string `json:"grants,omitempty"`
	// The scopes that may be asked for. Default: openid, profile and email.
	Scopes []string `json:"scopes,omitempty"`
	// Further claims of the user's that the client is told, in its tokens and at
	// userinfo, each always or with a scope. Default: none.
	Claims []client.Claim `json:"claims,omitempty"`
	// Which refresh tokens the client gets. `offline` (default): with the scope
	// offline_access, and they outlive the sign-in. `session`: always, and they end
	// with the sign-in. `always`: as offline, whether or not the client requests the
	// scope.
	RefreshTokens string `json:"refresh_tokens,omitempty"`
	// The audience of access tokens when no resource is asked for. Default:
	// the issuer, which is added with the scope openid: userinfo wants it.
	Audience string `json:"audience,omitempty"`
	// The resources that may be asked for. Default: any guarded site for a first-party
	// client, and with the grant client_credentials; none for others. People who are
	// asked for their consent are told them.
	Resources []string `json:"resources,omitempty"`
	// The resources that the client is the server of: it may introspect the tokens
	// whose audience they are.
	ResourceServer []string `json:"resource_server,omitempty"`
	// How long the refresh token before the current one is still answered, at most `1m`.
	// Clients with a secret, a key or DPoP are not held to it. Default: `30s`.
	RefreshGrace caddy.Duration `json:"refresh_grace,omitempty"`
	// What the audience of the client's assertions (private_key_jwt) may be: issuer
	// (default) or token_endpoint, for libraries that can send nothing else.
	AssertionAudience string `json:"assertion_audience,omitempty"`
	// How long access tokens live, at most `24h`. Default: `20m`.
	AccessTokenLifetime caddy.Duration `json:"access_token_lifetime,omitempty"`
	// How ID tokens and logout tokens are signed: RS256 (default), ES256 or EdDSA.
	IDTokenAlgorithm string `json:"id_token_signing_alg,omitempty"`
	// How access tokens are signed: ES256 (default), EdDSA or RS256.
	AccessTokenAlgorithm string `json:"access_token_signing_alg,omitempty"`
	// Whether authorization requests must be pushed (RFC 9126).
	RequirePAR bool `json:"require_par,omitempty"`
	// Whether tokens must be bound to a key (RFC 9449).
	RequireDPoP bool `json:"require_dpop,omitempty"`
	// The providers of which the client may have people's access tokens, by token
	// exchange (RFC 8693). Their tokens must be stored. A public client must ask for
	// the scope provider:NAME, which the consent page names.
	MayExchange []string `json:"may_exchange,omitempty"`
	// The providers of which the client may have the access tokens of people who are
	// away, each named by the sub of our tokens. It authenticates by `jwks` alone. People
	// allow it on their own page, and can forbid it there.
	MayActFor []string `json:"may_act_for,omitempty"`
	// The policy that says which people need not be asked for that. Default: all are
	// asked.
	ActPolicy string `json:"act_policy,omitempty"`
}

// loadClients makes the clients that the gateway knows, `gate` included.
func (a *App) loadClients(ctx caddy.Context) error {
	a.clients = make(map[string]*client.Client)
	for _, c := range a.Clients {
		if err := a.checkExchange("may_exchange", c.MayExchange); err != nil {
			return fmt.Errorf("client %q: %w", c.ID, err)
		}
		if err := a.checkExchange("may_act_for", c.MayActFor); err != nil {
			return fmt.Errorf("client %q: %w", c.ID, err)
		}
	}
	if err := a.checkExchange("may_exchange", a.GateMayExchange); err != nil {
		return fmt.Errorf("gate_client: %w", err)
	}
	if err := a.checkLinkByEmail(); err != nil {
		return err
	}
	if err := a.ClientRegistration.check(); err != nil {
		return err
	}
	var mistakes []error
	for _, c := range a.Clients {
		if a.clients[c.ID] != nil {
			return fmt.Errorf("client %q is configured twice", c.ID)
		}
		made, err := a.newClient(ctx, c)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		a.clients[c.ID] = made
	}
	if len(mistakes) > 0 {
		return together(mistakes...)
	}
	if a.GateClient != nil && !*a.GateClient || a.clients[gateClient] != nil {
		return nil
	}
	gate := &client.Client{
		ID: gateClient, Title: "gate, the command-line client", Public: true, FirstParty: true,
		Grants: []string{client.GrantDevice, client.GrantRefresh},
		Scopes: []string{"openid", "profile", "email", "groups", "offline_access"}, MayExchange: a.GateMayExchange,
		IDTokenAlgorithm: client.DefaultAccessTokenAlgorithm, // one key is enough for it
	}
	a.clients[gateClient] = gate
	return gate.Validate()
}

// checkLinkByEmail refuses the names of providers that are not there.
func (a *App) checkLinkByEmail() error {
	for _, name := range a.LinkByEmail {
		if !slices.ContainsFunc(a.Providers, func(p *ProviderConfig) bool { return p.Name == name }) {
			return fmt.Errorf("link_by_email: provider %q is not defined%s", name, didYouMean(name, a.providerNames()))
		}
	}
	return nil
}

func (a *App) newClient(ctx caddy.Context, c *ClientConfig) (*client.Client, error) {
	made := &client.Client{
		ID: c.ID, Title: c.Title, Public: c.Public, FirstParty: c.FirstParty,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		ResponseModes: c.ResponseModes, NativeSchemes: c.NativeSchemes,
		RefreshGrace: time.Duration(c.RefreshGrace), AssertionAudience: c.AssertionAudience,
		BackchannelLogoutURI: c.BackchannelLogoutURI, Grants: c.Grants, Scopes: a.Scopes.Expand(c.Scopes), Claims: c.Claims, RefreshTokens: client.RefreshTokens(c.RefreshTokens),
		Audience: c.Audience, Resources: c.Resources, ResourceServer: c.ResourceServer, MayExchange: c.MayExchange, MayActFor: c.MayActFor,
		IDTokenAlgorithm: c.IDTokenAlgorithm, AccessTokenAlgorithm: c.AccessTokenAlgorithm,
		AccessTokenLifetime: time.Duration(c.AccessTokenLifetime), RequirePAR: c.RequirePAR, RequireDPoP: c.RequireDPoP,
	}
	if made.RefreshTokens == client.RefreshSession && slices.Contains(c.Scopes, client.OfflineAccess) {
		a.logger.Warn("scope offline_access is never granted to a client whose refresh tokens end with the sign-in; remove the scope, or set refresh_tokens offline",
			"client", c.ID)
	}
	if err := a.clientPolicies(c, made); err != nil {
		return nil, err
	}
	for _, s := range c.Secrets {
		secret, err := a.clientSecret(ctx, c.ID, s)
		if err != nil {
			return nil, err
		}
		made.Secrets = append(made.Secrets, secret)
	}
	if c.JWKSFile != "" {
		var err error
		if made.Keys, err = readJWKS(c.JWKSFile); err != nil {
			return nil, fmt.Errorf("client %q: %w", c.ID, err)
		}
	}
	for _, claim := range c.Claims {
		if err := a.checkClaim(policy.Rule{}, claim.Name); err != nil {
			return nil, fmt.Errorf("client %q: claims %s: %w", c.ID, claim.Name, err)
		}
	}
	return made, made.Validate()
}

// clientPolicies sets the policies that a client's block names.
func (a *App) clientPolicies(c *ClientConfig, made *client.Client) error {
	for _, p := range []struct {
		name string
		set  *policy.Decider
	}{{c.Policy, &made.Policy}, {c.ActPolicy, &made.ActPolicy}} {
		if p.name == "" {
			continue
		}
		rules, ok := a.Policies[p.name]
		if !ok {
			return fmt.Errorf("client %q: policy %q is not defined", c.ID, p.name)
		}
		*p.set = &policy.Policy{Name: p.name, Allow: rules.Allow, Deny: rules.Deny}
	}
	return nil
}

// clientSecret takes a secret or a hash of one.
func (a *App) clientSecret(ctx caddy.Context, id, value string) (client.Secret, error) {
	value, err := expand("the secret of client "+id, value)
	if err != nil {
		return client.Secret{}, err
	}
	name, err := hashModule(id, value)
	if err != nil {
		if len(value) < shortSecret {
			a.logger.Warn("a client secret is short; `gatehouse client new` makes a good one", "client", id)
		}
		return client.NewSecret(value), nil
	}
	module, err := ctx.LoadModuleByID("http.authentication.hashes."+name, nil)
	if err != nil {
		return client.Secret{}, err
	}
	comparer, ok := module.(caddyauth.Comparer)
	if !ok {
		return client.Secret{}, fmt.Errorf("module %T is not a caddyauth.Comparer", module)
	}
	return client.NewHashedSecret(value, comparer.Compare), nil
}

// readJWKS reads the public keys that a client signs with.
func readJWKS(file string) (map[string]clientjwt.Key, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	keys, err := clientjwt.ParseKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return keys, nil
}
