package flows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/foreign"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/knownbrowser"
	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/recheck"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/scope"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/signout"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// codeValidity is how long an authorization code can be redeemed. RFC 6749,
// section 4.1.2, allows ten minutes; a redirect takes a second.
const codeValidity = 60 * time.Second

// Config is what a Gateway is made of. What has no default and is not said to be
// optional is required.
type Config struct {
	// Issuer is the portal's URL. Default: "", then each guarded site is its
	// own issuer, https://HOST/.gatehouse.
	Issuer string
	// Sites are the origins that the portal hands sign-ins over to, such as
	// https://app.example.com or https://*.example.com. Optional.
	Sites []string
	// Providers in the order in which they are offered.
	Providers []provider.Provider
	// Offers say how people come to the providers, by name. Default: each can be
	// chosen.
	Offers map[string]Offer
	// Acceptors are providers whose own tokens sites may take, by name. Optional.
	Acceptors map[string]provider.TokenAcceptor
	// Admit reports whether somebody whom a provider vouched for may sign in at
	// all. Default: everybody.
	Admit func(identity.Claims) bool

	// LinkByEmail names the providers by which somebody may come for the first time
	// whose verified address an account has already. They are asked whether that is
	// theirs, and can connect it. Optional.
	LinkByEmail []string

	// AdmitRule says by which rule Admit decides, for the log. Default: "".
	AdmitRule func(identity.Claims) string

	// Keep says which groups of a provider's users are kept, once all have been judged.
	// Default: all that there is room for.
	Keep func(provider string) identity.Keep

	// Vault keeps the tokens that the providers give. Nil: none are kept.
	Vault *vault.Vault

	// Recheck is the least time between two questions to a provider, whose
	// tokens the vault keeps, about one of its users. Default: an hour.
	Recheck time.Duration

	// Resources of the guarded sites: those that guards name, and what they say of the
	// sites' origins. Optional.
	Resources *resource.Set
	// Scopes that are explained to people, and what they imply. Optional.
	Scopes scope.Catalog

	// Clients of the authorization server, by id. Optional.
	Clients map[string]*client.Client
	// Registration of clients by themselves. Default: none.
	Registration Registration
	// Keys that tokens are signed with. Nil: no tokens are issued or taken.
	Keys *token.Keys

	Sessions *session.Manager
	Store    tokenstore.Store
	Cache    cache.Store
	Keyring  *keyring.Keyring
	Pages    *page.Renderer
	Logger   *slog.Logger
	Now      func() time.Time
	Random   io.Reader

	// HTTPClient tells clients of sign-outs. Default: one that follows no
	// redirects.
	HTTPClient *http.Client
	// BodyTimeout limits how long the body of a request to one of our own URLs may
	// take. Default: 10 seconds.
	BodyTimeout time.Duration
	// ACRValues are the classes of authentication that guarded sites demand. One of
	// these in a client's acr_values makes that binding. Default: none.
	ACRValues []string
	// KeepIDTokens keeps the ID tokens of sign-ins, for [Gateway.IDToken]. Default: only
	// as far as a sign-out at the provider needs them.
	KeepIDTokens bool
	// Lifetime of a session at most. Default: 30 days.
	Lifetime time.Duration
	// Events is told of sign-ins, refusals and sign-outs. The attributes hold
	// no secret. Default: nobody is told.
	Events func(ctx context.Context, name string, attrs ...slog.Attr)
}

// Gateway serves guarded sites and the portal. It is safe for concurrent use
// and holds no state of its own but what it has verified before.
type Gateway struct {
	Config
	portal    web.Issuer // zero without an issuer
	sites     []web.OriginPattern
	answers   *web.Answers
	origins   client.Origins // of pages that may call the endpoints
	open      []openResource // to clients that registered themselves
	providers map[string]provider.Provider
	access    *accesstoken.Verifier
	guard     *guard.Guard
	checking  inFlight
	starters  starters
	known     knownbrowser.Browsers
	// schemeWarnings are of browsers that use https where we see plain http.
	schemeWarnings warnings
	idTokens       idTokens
	discovery      sync.Map // issuer and algorithms to metadata, serialised
	drain          *outbox.Drain
	codes          *authcode.Codes
	signouts       *signout.Manager
	recheck        *recheck.Worker // nil without a vault
}

// New checks a configuration. It does no I/O.
func New(c Config) (*Gateway, error) {
	switch {
	case len(c.Providers)+len(c.Acceptors) == 0:
		return nil, errors.New("no provider to sign in with")
	case c.Sessions == nil || c.Store == nil || c.Cache == nil || c.Keyring == nil || c.Pages == nil:
		return nil, errors.New("sessions, stores, keyring and pages are required")
	case c.Logger == nil || c.Now == nil || c.Random == nil:
		return nil, errors.New("logger, clock and random source are required")
	}
	if c.Lifetime == 0 {
		c.Lifetime = 30 * 24 * time.Hour
	}
	if c.Recheck == 0 {
		c.Recheck = recheck.DefaultInterval
	}
	if c.BodyTimeout == 0 {
		c.BodyTimeout = defaultBodyTimeout
	}
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.AdmitRule == nil {
		c.AdmitRule = func(identity.Claims) string { return "" }
	}
	if c.Admit == nil {
		c.Admit = func(identity.Claims) bool { return true }
	}
	if c.Keep == nil {
		c.Keep = func(string) identity.Keep { return identity.Keep{} }
	}
	if c.Events == nil {
		c.Events = func(context.Context, string, ...slog.Attr) {}
	}
	var err error
	g := &Gateway{Config: c, providers: make(map[string]provider.Provider, len(c.Providers))}
	titles := make(map[string]string, len(c.Providers))
	for _, p := range c.Providers {
		titles[p.Name()] = p.Title()
	}
	g.answers = &web.Answers{Pages: c.Pages, Logger: c.Logger, Titles: titles}
	g.origins = client.NewOrigins(c.Clients)
	longest := client.DefaultAccessTokenLifetime
	for _, c := range c.Clients {
		longest = max(longest, c.AccessTokenLifetime)
	}
	for _, p := range c.Providers {
		if g.providers[p.Name()] != nil {
			return nil, fmt.Errorf("provider %q is configured twice", p.Name())
		}
		g.providers[p.Name()] = p
	}
	if c.Issuer != "" {
		portal, err := web.ParseIssuer(c.Issuer)
		if err != nil {
			return nil, err
		}
		g.portal = portal
	}
	for _, s := range c.Sites {
		pattern, err := web.ParseOriginPattern(s)
		if err != nil {
			return nil, err
		}
		g.sites = append(g.sites, pattern)
	}
	if g.open, err = parseOpen(c.Registration.Open); err != nil {
		return nil, err
	}
	g.access = accesstoken.New(accesstoken.Config{
		Keys: c.Keys, Sessions: c.Sessions, Store: c.Store, Cache: c.Cache, Logger: c.Logger, Now: c.Now, Portal: g.portal, Longest: longest,
	})
	g.known = knownbrowser.Browsers{Keyring: c.Keyring, Now: c.Now}
	g.codes = authcode.New(authcode.Config{
		Sessions: c.Sessions, Store: c.Store, Cache: c.Cache, Keyring: c.Keyring, Logger: c.Logger, Now: c.Now,
	})
	g.guard = guard.New(guard.Config{
		Answers: g.answers, Access: g.access, Sessions: c.Sessions, Keyring: c.Keyring, Keys: c.Keys, Vault: c.Vault, Pages: c.Pages,
		Logger: c.Logger, Now: c.Now, Portal: g.portal, BodyTimeout: c.BodyTimeout, Foreign: foreign.New(foreign.Config{
			Providers: c.Acceptors, Admit: c.Admit, Store: c.Store, Now: c.Now, Logger: c.Logger, ServeStale: c.Sessions.ServeStale,
		}),
		Services: vault.NewServices(c.Now), Providers: g.providers, IsSelfRegistered: g.isSelfRegistered, Resources: c.Resources, Scopes: c.Scopes,
	})
	g.signouts = signout.New(signout.Config{
		Clients: c.Clients, Keys: c.Keys, Portal: g.portal, Sessions: c.Sessions, Store: c.Store, Keyring: c.Keyring, HTTPClient: c.HTTPClient,
		Logger: c.Logger, Now: c.Now, Random: c.Random, Kick: func() { g.drain.Kick() },
	})
	if g.Vault != nil {
		g.recheck = recheck.New(recheck.Config{
			Interval: c.Recheck, Providers: c.Providers, Vault: c.Vault, Sessions: c.Sessions, SignOuts: g.signouts, Cache: c.Cache, Keyring: c.Keyring,
			Logger: c.Logger, Now: c.Now, Admit: c.Admit, LogRuledOut: g.logRuledOut, KeepGroups: g.keepGroups, Events: c.Events,
		})
		g.Vault.Refused = g.recheck.Refused
	}
	if g.drain, err = g.newDrain(); err != nil {
		return nil, err
	}
	return g, nil
}

// Guard decides for guarded sites.
func (g *Gateway) Guard() *guard.Guard { return g.guard }

// HasPortal reports whether an issuer is configured.
func (g *Gateway) HasPortal() bool { return g.portal.Origin != "" }

// RedirectURIs are the addresses to register at the providers, for the portal
// or, without one, for the site of that origin.
func (g *Gateway) RedirectURIs(siteOrigin string) []string {
	at := g.portal
	if !g.HasPortal() {
		at = web.SiteIssuer(siteOrigin, "")
	}
	var uris []string
	for _, p := range g.Providers {
		if _, ok := p.(provider.Redirect); ok {
			uris = append(uris, at.URL("callback/"+p.Name()))
		}
	}
	return uris
}
