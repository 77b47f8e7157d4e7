package caddymodule

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

const (
	defaultIdle       = 7 * 24 * time.Hour
	defaultLifetime   = 30 * 24 * time.Hour
	defaultRevalidate = 60 * time.Second
	defaultServeStale = 10 * time.Minute
)

func (a *App) lifetime() time.Duration {
	if a.Session != nil && a.Session.Lifetime > 0 {
		return time.Duration(a.Session.Lifetime)
	}
	return defaultLifetime
}

func (a *App) settings() session.Settings {
	s := session.Settings{
		Idle: defaultIdle, Lifetime: a.lifetime(), Interval: defaultRevalidate, ServeStale: defaultServeStale,
		Current: a.current,
	}
	if a.Session != nil && a.Session.Idle > 0 {
		s.Idle = time.Duration(a.Session.Idle)
	}
	if a.Session != nil && a.Session.Revalidate > 0 {
		s.Interval = min(time.Duration(a.Session.Revalidate), defaultRevalidate)
	}
	if a.ServeStale != 0 {
		s.ServeStale = time.Duration(a.ServeStale)
	}
	return s
}

// recheck is how often providers are asked again at most; 0 is the default.
func (a *App) recheck() time.Duration {
	if a.Session == nil {
		return 0
	}
	return time.Duration(a.Session.Recheck)
}

// Start checks where guards stand, connects the stores and opens the doors. An
// unreachable store is no error here: unrelated sites of this Caddy must come
// up.
func (a *App) Start() error {
	sites, err := a.placeGuards()
	if err != nil {
		return err
	}
	a.sites = sites
	a.setNeeds()
	secrets, err := a.secretsOrGenerated(a.ctx)
	if err != nil {
		return err
	}
	entry, err := acquire(a.ctx, a, secrets)
	if err != nil {
		return err
	}
	a.shared = entry
	entry.reloadKeys(a.ctx)
	gateway, err := a.newGateway(entry, sites)
	if err != nil {
		return err
	}
	a.gateway.Store(gateway)
	close(a.ready)
	a.logRedirectURIs(gateway, sites)
	if a.portalElsewhere() {
		a.logger.Info("no site of this configuration has gatehouse_portal under the issuer's name, so another gateway must serve the issuer", "issuer", a.issuer)
	}
	return nil
}

// inForce is called when all apps have started: only now is this the running
// configuration. Were its settings to count from Start on, a reload that fails
// at another app would end the sessions of users whom only the failed
// configuration lacks.
func (a *App) inForce() {
	if a.shared == nil || a.isInForce.Swap(true) {
		return
	}
	a.shared.use(a)
	publish(a)
	background, cancel := context.WithCancel(a.ctx)
	a.cancel = cancel
	gateway := a.gateway.Load()
	a.background.Go(func() { gateway.Run(background) })
}

// endBackground ends what inForce began, once or more.
func (a *App) endBackground() {
	if a.cancel != nil {
		a.cancel()
	}
	a.background.Wait()
}

func (a *App) newGateway(entry *shared, sites []site) (*flows.Gateway, error) {
	kept, err := a.newVault(entry)
	if err != nil {
		return nil, err
	}
	resources, err := a.resources()
	if err != nil {
		return nil, err
	}
	return flows.New(flows.Config{
		Resources:    resources,
		Scopes:       a.Scopes,
		Issuer:       a.issuer,
		Sites:        append(origins(sites), a.Sites...),
		Providers:    a.signInProviders(),
		Acceptors:    a.acceptors(),
		Offers:       a.offers(),
		Admit:        a.admit,
		AdmitRule:    a.admitRule,
		Keep:         a.keep,
		LinkByEmail:  a.LinkByEmail,
		Vault:        kept,
		Recheck:      a.recheck(),
		Clients:      a.clients,
		Registration: a.registration(sites),
		ACRValues:    a.requiredACRs(),
		KeepIDTokens: a.tellsIDTokens(),
		Keys:         entry.tokens,
		Sessions:     entry.sessions,
		Store:        entry.store,
		Cache:        entry.cache,
		Keyring:      entry.keys,
		Pages:        a.pages,
		Logger:       a.logger,
		Now:          time.Now,
		Random:       rand.Reader,
		Lifetime:     a.lifetime(),
		Events:       a.events.emit,
	})
}

// logRedirectURIs says what has to be registered at the providers.
func (a *App) logRedirectURIs(g *flows.Gateway, sites []site) {
	var uris []string
	if g.HasPortal() {
		uris = g.RedirectURIs("")
	} else {
		for _, origin := range origins(sites) {
			uris = append(uris, g.RedirectURIs(origin)...)
		}
	}
	slices.Sort(uris)
	for _, uri := range slices.Compact(uris) {
		a.logger.Info("redirect URI to register at the provider", "uri", uri)
	}
}

// secretKey is where a generated secret is kept in Caddy's storage.
const secretKey = "gatehouse/secret"

// secretsOrGenerated returns the configured secrets, or the one in Caddy's
// storage, made at the first start. It is locked meanwhile: other instances may
// share the storage.
func (a *App) secretsOrGenerated(ctx context.Context) ([]string, error) {
	if len(a.secrets) > 0 {
		return a.secrets, nil
	}
	storage := a.ctx.Storage()
	if stored, err := storage.Load(ctx, secretKey); err == nil {
		return []string{string(stored)}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("loading secret from Caddy's storage: %w", err)
	}
	if err := storage.Lock(ctx, secretKey); err != nil {
		return nil, fmt.Errorf("locking secret in Caddy's storage: %w", err)
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(ctx), secretKey) }()
	if stored, err := storage.Load(ctx, secretKey); err == nil {
		return []string{string(stored)}, nil
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	secret := base64.RawStdEncoding.EncodeToString(raw)
	if err := storage.Store(ctx, secretKey, []byte(secret)); err != nil {
		return nil, fmt.Errorf("storing secret in Caddy's storage: %w", err)
	}
	return []string{secret}, nil
}

// published are the running apps, the newest last. Admin routes and others that
// outlive a configuration find the running one here: after a failed reload the
// one before it runs on.
var published struct {
	sync.Mutex
	apps []*App
}

func publish(a *App) {
	published.Lock()
	defer published.Unlock()
	published.apps = append(published.apps, a)
}

func unpublish(a *App) {
	published.Lock()
	defer published.Unlock()
	published.apps = slices.DeleteFunc(published.apps, func(other *App) bool { return other == a })
}

// runningApp is the app that runs now, or nil.
func runningApp() *App {
	published.Lock()
	defer published.Unlock()
	if n := len(published.apps); n > 0 {
		return published.apps[n-1]
	}
	return nil
}
