package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// expandOwn replaces the placeholders of the app's own options.
func (a *App) expandOwn() error {
	var mistakes []error
	var err error
	if a.issuer, err = a.expandIssuer(); err != nil {
		mistakes = append(mistakes, err)
	}
	for _, s := range a.Secrets {
		secret, err := expand("secret", s)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		a.secrets = append(a.secrets, secret)
	}
	if a.headers, err = a.Headers.compile(nil); err != nil {
		mistakes = append(mistakes, err)
	}
	return together(mistakes...)
}

const exampleIssuer = "https://auth.example.com"

func (a *App) expandIssuer() (string, error) {
	if a.Issuer == "" {
		return "", nil
	}
	issuer, err := expand("issuer", a.Issuer)
	if err != nil {
		return "", err
	}
	return issuer, checkIssuer(issuer, exampleIssuer)
}

// loadStores loads the modules of the token store and the cache, or their
// defaults, which need no other service.
func (a *App) loadStores(ctx caddy.Context) error {
	return together(a.loadTokenStore(ctx), a.loadCache(ctx))
}

func (a *App) loadTokenStore(ctx caddy.Context) error {
	store, err := loadGuest(ctx, a, "TokenStoreRaw", a.TokenStoreRaw, tokenStoreNamespace+".sqlite")
	if err != nil {
		return fmt.Errorf("loading token store: %w", err)
	}
	var ok bool
	if a.tokenStore, ok = store.(TokenStoreModule); !ok {
		return fmt.Errorf("loading token store: module %T is not a caddymodule.TokenStoreModule", store)
	}
	return nil
}

func (a *App) loadCache(ctx caddy.Context) error {
	cache, err := loadGuest(ctx, a, "CacheRaw", a.CacheRaw, cacheNamespace+".memory")
	if err != nil {
		return fmt.Errorf("loading cache: %w", err)
	}
	var ok bool
	if a.cache, ok = cache.(CacheModule); !ok {
		return fmt.Errorf("loading cache: module %T is not a caddymodule.CacheModule", cache)
	}
	return nil
}

func loadGuest(ctx caddy.Context, a *App, field string, raw json.RawMessage, otherwise string) (any, error) {
	if raw == nil {
		return ctx.LoadModuleByID(otherwise, nil)
	}
	return ctx.LoadModule(a, field)
}

// validateKeys refuses a shared store without a configured secret: another node
// could not read what this one wrote.
func (a *App) validateKeys() error {
	if len(a.secrets) == 0 {
		for what, shared := range map[string]bool{"token_store": a.tokenStore.Shared(), "cache": a.cache.Shared()} {
			if shared {
				return fmt.Errorf("the %s is shared with other gateways, so all need the same secret: write secret {file./run/secrets/gatehouse} in the gatehouse block (make one: openssl rand -base64 32)", what)
			}
		}
		return nil
	}
	if _, err := keyring.New(nil, asBytes(a.secrets)...); err != nil {
		return fmt.Errorf("%w; make one: openssl rand -base64 32", err)
	}
	return nil
}

func asBytes(secrets []string) [][]byte {
	keys := make([][]byte, 0, len(secrets))
	for _, s := range secrets {
		keys = append(keys, []byte(s))
	}
	return keys
}

func (a *App) loadProviders(ctx caddy.Context) error {
	a.callers = make(map[string]*policy.Policy)
	a.groupCheckers = make(map[string]groupChecker)
	a.claimKeepers = make(map[string]claimKeeper)
	modules := make([]ProviderModule, 0, len(a.Providers))
	var mistakes []error
	for _, c := range a.Providers {
		module, err := a.loadProvider(ctx, c)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("provider %s: %w", c.Name, err))
		}
		modules = append(modules, module)
	}
	if len(mistakes) > 0 {
		return together(mistakes...)
	}
	a.warnSameNames(modules)
	mistakes = append(mistakes, a.checkClientKeys(modules), a.checkOffers())
	for i, c := range a.Providers {
		if checker, ok := modules[i].(groupChecker); ok {
			a.groupCheckers[c.Name] = checker
		}
		if keeper, ok := modules[i].(claimKeeper); ok {
			a.claimKeepers[c.Name] = keeper
		}
	}
	for name, rules := range a.callers {
		if err := a.prepare(rules); err != nil {
			mistakes = append(mistakes, fmt.Errorf("provider %s: %w", name, err))
		}
	}
	return together(mistakes...)
}

func (a *App) loadProvider(ctx caddy.Context, c *ProviderConfig) (ProviderModule, error) {
	if !validName(c.Name) || c.Name == policy.AnyProvider {
		return nil, errors.New("the name is not possible: lower-case letters, digits, - and _")
	}
	if slices.ContainsFunc(a.providers, func(p provider.Provider) bool { return p.Name() == c.Name }) {
		return nil, errors.New("defined twice")
	}
	if c.ModuleRaw == nil {
		return nil, errors.New("module is missing: say its type")
	}
	guest, err := ctx.LoadModule(c, "ModuleRaw")
	if err != nil {
		return nil, err
	}
	module, ok := guest.(ProviderModule)
	if !ok {
		return nil, fmt.Errorf("module %T is not a caddymodule.ProviderModule", guest)
	}
	p, err := module.OpenProvider(ProviderBlock{Name: c.Name, Title: c.Title, StoreTokens: c.StoreTokens != nil, Logger: a.logger})
	if err != nil {
		return nil, err
	}
	if err := together(c.checkStoreTokens(p), c.checkOnlyTokens(p)); err != nil {
		return nil, err
	}
	if same := slices.IndexFunc(a.providers, func(other provider.Provider) bool { return other.Issuer() == p.Issuer() }); same >= 0 {
		return nil, fmt.Errorf("has the same issuer as provider %s: their users could not be told apart; where they are two clients, write identity_namespace and a name in one block, and the people of that block are others than those of the other", a.providers[same].Name())
	}
	a.providers = append(a.providers, p)
	if o, ok := guest.(OpenProvider); ok {
		c.open = o.AnyoneCanJoin()
	}
	if len(c.Allow)+len(c.Deny) == 0 {
		return module, nil
	}
	rules, err := policy.CallerRules(c.Name, c.Allow, c.Deny)
	if err != nil {
		return nil, err
	}
	if err := rules.Validate([]string{c.Name}); err != nil {
		return nil, err
	}
	a.callers[c.Name] = rules
	return module, nil
}

// checkClientKeys refuses one key at two providers: what one is sent as proof is good
// at the other.
func (a *App) checkClientKeys(modules []ProviderModule) error {
	owner := make(map[string]string)
	for i, m := range modules {
		keyed, ok := m.(interface{ keyThumbprint() string })
		if !ok || keyed.keyThumbprint() == "" {
			continue
		}
		name := a.Providers[i].Name
		if other, ok := owner[keyed.keyThumbprint()]; ok {
			return fmt.Errorf("providers %s and %s: client_auth private_key_jwt has the same key for both, and each could use what it is sent at the other; make a key for each", other, name)
		}
		owner[keyed.keyThumbprint()] = name
	}
	return nil
}

// warnSameNames warns when one user name can mean two people.
func (a *App) warnSameNames(modules []ProviderModule) {
	for i, one := range modules {
		for j, other := range modules[:i] {
			if namesOf(one).meet(namesOf(other)) {
				a.logger.Warn("two providers can yield the same user name for different people; rules about a user should say provider NAME, "+
					"and upstreams should rely on Remote-User only if you trust both alike",
					"providers", a.providers[j].Name()+", "+a.providers[i].Name())
			}
		}
	}
}

// admit reports whether a provider's own rules let somebody in.
func (a *App) admit(c identity.Claims) bool {
	rules := a.callers[c.Provider]
	return rules == nil || rules.Allows(&identity.Identity{Claims: c})
}

// admitRule is the rule behind admit.
func (a *App) admitRule(c identity.Claims) string {
	return a.callers[c.Provider].Explain(&identity.Identity{Claims: c}).String()
}

// current judges claims by this configuration, without I/O: the provider must
// still be there (found by its issuer, so that a renamed block changes nobody),
// its local users and its rules count as they are now.
func (a *App) current(c identity.Claims) (identity.Claims, error) {
	for _, p := range a.providers {
		if p.Issuer() != c.Issuer || isOnlyTokens(p) {
			continue
		}
		c.Provider = p.Name()
		if asks, ok := p.(provider.Current); ok {
			var err error
			if c, err = asks.Current(c); err != nil {
				return identity.Claims{}, err
			}
		}
		if !a.admit(c) {
			return identity.Claims{}, provider.ErrGone
		}
		return c, nil
	}
	return identity.Claims{}, provider.ErrGone
}
