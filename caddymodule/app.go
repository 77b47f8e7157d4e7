package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/policy/expression"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/scope"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is Gatehouse: how people sign in, who may enter where, and where that is
// remembered. Guards and the portal use it; without other options than a
// provider it needs no other service.
type App struct {
	// The URL of the portal, where people sign in once for all guarded sites:
	// an origin with or without a path, served by the `gatehouse_portal`
	// handler here or in another Caddy. Default: each guarded site signs
	// people in itself, below `/.gatehouse/`. Accepts global placeholders.
	Issuer string `json:"issuer,omitempty"`

	// Where sessions are kept. Default: `sqlite`, a file in Caddy's data
	// directory.
	TokenStoreRaw json.RawMessage `json:"token_store,omitempty" caddy:"namespace=gatehouse.token_stores inline_key=driver"`

	// Where sign-ins on their way are kept, and by which nodes tell each other
	// of sign-outs. Default: `memory`.
	CacheRaw json.RawMessage `json:"cache,omitempty" caddy:"namespace=gatehouse.caches inline_key=driver"`

	// Secrets of at least 16 bytes that all keys derive from; the first seals
	// and signs, all open and verify, so that one can be replaced by another.
	// Required when the token store or the cache is shared with other
	// gateways. Default: one is made and kept in Caddy's storage. Accepts
	// global placeholders.
	Secrets []string `json:"secrets,omitempty"`

	// How long people stay signed in.
	Session *SessionConfig `json:"session,omitempty"`

	// How long a session that is known here goes on while the token store
	// cannot be reached. Default: `10m`.
	ServeStale caddy.Duration `json:"serve_stale,omitempty"`

	// How people sign in, in the order in which it is offered. At least one is
	// required.
	Providers []*ProviderConfig `json:"providers,omitempty"`

	// Rules about who may enter, by name, for guards to refer to.
	Policies map[string]*policy.Policy `json:"policies,omitempty"`

	// A JWKS file with the private keys that tokens are signed with; of each
	// algorithm the first signs, all are published. Default: keys are made,
	// rotated and kept in the token store.
	SigningKeys string `json:"signing_keys,omitempty"`

	// A digest of the keys in that file when the Caddyfile was adapted, if it could
	// be read then. It makes a change of the file a change of the configuration,
	// because Caddy skips a reload of an unchanged one. Nothing else reads it.
	SigningKeysDigest string `json:"signing_keys_digest,omitempty"`

	// Programs that may ask for tokens.
	Clients []*ClientConfig `json:"clients,omitempty"`

	// Whether the built-in public client of the command `gate` is known.
	// Default: true.
	GateClient *bool `json:"gate_client,omitempty"`
	// The providers of which people may have their own access tokens by
	// `gate token --provider NAME`. Default: none.
	GateMayExchange []string `json:"gate_may_exchange,omitempty"`

	// The providers by which somebody may come for the first time whose verified address
	// an account has already: they are asked whether that is theirs, and can connect it
	// by signing in to it. Default: none; such a person gets an account of their own.
	LinkByEmail []string `json:"link_by_email,omitempty"`

	// How clients that nobody has configured may register themselves, such as agents and
	// their tools. Default: they may not.
	ClientRegistration *ClientRegistration `json:"client_registration,omitempty"`

	// Further origins that the portal hands sign-ins over to, such as
	// `https://app.example.com`: guarded sites of another Caddy. The guarded
	// sites of this configuration need not be listed.
	Sites []string `json:"sites,omitempty"`

	// What scopes mean, by name: the words for people who are asked for consent, and the
	// narrower scopes that count as granted with one.
	Scopes scope.Catalog `json:"scopes,omitempty"`

	// The names of the headers that tell upstreams who is signed in.
	Headers *Headers `json:"headers,omitempty"`

	// How the pages look that people see.
	Pages *PagesConfig `json:"pages,omitempty"`

	ctx        caddy.Context
	logger     *slog.Logger
	issuer     string
	secrets    []string
	tokenStore TokenStoreModule
	cache      CacheModule
	providers  []provider.Provider
	callers    map[string]*policy.Policy // by provider name: who may come from there
	clients    map[string]*client.Client
	headers    *headerSet
	pages      *page.Renderer
	events     *emitter

	groupCheckers map[string]groupChecker // by provider name
	claimKeepers  map[string]claimKeeper  // by provider name
	expressions   *expression.Compiler

	guardsMu sync.Mutex
	guards   []*Guard
	fronts   map[*caddyhttp.Server]*front
	matched  identity.Needs // what matchers look at
	// matchedGroups are the groups that matchers name.
	matchedGroups []string
	keeps         struct {
		once sync.Once
		of   map[string]identity.Keep
	}
	portalHost string // of a gatehouse_portal in this configuration, or ""
	hasPortal  bool   // a gatehouse_portal is in this configuration, at the issuer's host
	sites      []site // where the guards stand; since Start
	// faults keep people from signing in, warnings may; since Start.
	faults, warnings []string
	portalByTLS      bool // browsers reach the https issuer's portal

	cancel     context.CancelFunc // ends background
	background sync.WaitGroup

	unknownProto atomic.Bool // a trusted proxy's X-Forwarded-Proto was complained of

	shared    *shared // since Start; released in Cleanup
	isInForce atomic.Bool
	gateway   atomic.Pointer[flows.Gateway]
	ready     chan struct{} // closed when gateway is set
}

// SessionConfig says how long people stay signed in.
type SessionConfig struct {
	// A session that is not used for so long ends. Default: `7d`.
	Idle caddy.Duration `json:"idle,omitempty"`
	// A session ends at the latest after so long. Default: `30d`.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`
	// How often a node asks the token store whether the sessions that it
	// knows go on. Default: `60s`; at most that.
	Revalidate caddy.Duration `json:"revalidate,omitempty"`
	// How often at most a provider whose tokens are kept is asked again who
	// its users are, while their sessions are used: their groups and addresses,
	// and whether they are still signed in there. Default: `1h`.
	Recheck caddy.Duration `json:"recheck,omitempty"`
}

// ProviderConfig is one source of identities.
type ProviderConfig struct {
	// The provider's name: lower case, unique, part of the redirect URI.
	Name string `json:"name"`
	// What people see on the sign-in page. Default: the type's own.
	Title string `json:"title,omitempty"`
	// Who may come from this provider. Default: everybody whom it vouches for.
	Allow []policy.Rule `json:"allow,omitempty"`
	// Who may not, even if allowed.
	Deny []policy.Rule `json:"deny,omitempty"`
	// Whether it is left out of the choice on the sign-in page. Guards that name it, and
	// addresses of its domains, lead there. Default: false.
	Hidden bool `json:"hidden,omitempty"`
	// Who types an e-mail address of one of these domains on the sign-in page is sent
	// to this provider. Default: none.
	Domains []string `json:"domains,omitempty"`
	// Which groups of its users are kept, once rules have judged all of them: patterns
	// in which * stands for any characters. Groups that a rule names are kept besides.
	// Default: all, those that rules name first, up to 16 KiB of names.
	KeepGroups []string `json:"keep_groups,omitempty"`
	// Whether the tokens that it gives at sign-ins are kept, so that fresh
	// ones can be had. Default: they are not.
	StoreTokens *StoreTokensConfig `json:"store_tokens,omitempty"`
	// The type of provider, and its options.
	ModuleRaw json.RawMessage `json:"module,omitempty" caddy:"namespace=gatehouse.providers inline_key=type"`

	open       bool // anybody can open an account there
	onlyTokens bool // nobody signs in there
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appName, New: func() caddy.Module { return new(App) }}
}

// Provision loads the guest modules and expands secrets. It opens nothing, so
// that `caddy validate` works anywhere. It goes on after a mistake, to name all
// that has to be mended at once: a new environment, say, lacks several variables.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Slogger()
	a.ready = make(chan struct{})
	if err := a.newExpressions(); err != nil {
		return err
	}
	err := together(a.expandOwn(), a.loadStores(ctx), a.loadProviders(ctx), a.preparePolicies(), a.loadClients(ctx), a.checkSigningKeys(), a.loadPages())
	if err != nil {
		return err
	}
	if a.events, err = newEmitter(ctx, a.inForce); err != nil {
		return err
	}
	return registerMetrics(ctx)
}

// Validate checks the rules.
func (a *App) Validate() error {
	if len(a.Providers) == 0 {
		return fmt.Errorf("no provider: say how people sign in, for example: provider google { … } or provider local { user … }")
	}
	if err := a.Scopes.Validate(); err != nil {
		return err
	}
	names := a.providerNames()
	for name, p := range a.Policies {
		named := policy.Policy{Name: name, Allow: p.Allow, Deny: p.Deny}
		if len(p.Allow) == 0 {
			return fmt.Errorf("policy %s lets nobody in; add an allow line", name)
		}
		if err := named.Validate(names); err != nil {
			return err
		}
	}
	return a.validateKeys()
}

// Stop ends what Start began of this configuration. What is shared with the
// next configuration goes on.
func (a *App) Stop() error {
	unpublish(a)
	a.endBackground()
	return nil
}

// Cleanup releases what this configuration acquired. It also runs after a failed
// Provision or Start.
func (a *App) Cleanup() error {
	unpublish(a)
	a.endBackground()
	var errs []error
	if a.shared != nil {
		errs = append(errs, a.shared.release(a))
	}
	for _, p := range a.providers {
		if closer, ok := p.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

func (a *App) providerNames() []string {
	var names []string
	for _, p := range a.Providers {
		names = append(names, p.Name)
	}
	return names
}

// join makes a guard known to the app, and gives it its policies.
func (a *App) join(g *Guard) {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	a.guards = append(a.guards, g)
}

// joinPortal registers a portal with the app, by the issuer's host.
func (a *App) joinPortal(host string) {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	a.hasPortal, a.portalHost = true, host
}

// portalElsewhere reports whether people sign in at an issuer that this
// configuration does not serve. Another gateway may do so; or somebody forgot.
func (a *App) portalElsewhere() bool {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	return a.issuer != "" && !a.hasPortal
}

// startWait is how long a request waits for a start that is going on: Caddy
// starts its apps in any order.
const startWait = 10 * time.Second

// Gateway returns the running gateway, waiting for Start if need be, or nil.
func (a *App) running(ctx context.Context) *flows.Gateway {
	if g := a.gateway.Load(); g != nil {
		return g
	}
	timeout := time.NewTimer(startWait)
	defer timeout.Stop()
	select {
	case <-a.ready:
	case <-ctx.Done():
	case <-timeout.C:
	}
	return a.gateway.Load()
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
