package caddymodule

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// sharedCache is a cache that configurations share whatever their secrets are: in
// memory it is all that there is of the sign-ins under way, which a new secret in
// front of the old one must not drop.
type sharedCache struct {
	cache.Store
	key    string
	logger *atomic.Pointer[slog.Logger]

	mu   sync.Mutex
	apps []*App // the configurations that use it, the newest last
}

// acquireCache returns the cache that an app names, opened if need be.
func acquireCache(ctx context.Context, a *App) (*sharedCache, error) {
	key := "cache " + hashed(caddy.GetModuleID(a.cache), a.cache.Key())
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		c := &sharedCache{key: key, logger: new(atomic.Pointer[slog.Logger])}
		c.logger.Store(a.logger)
		var err error
		c.Store, err = a.cache.OpenCache(ctx, slog.New(currentHandler{current: c.logger}))
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("opening cache: %w", err)
	}
	return value.(*sharedCache), nil
}

// release is called once for each acquireCache; the last closes the cache.
func (c *sharedCache) release() error {
	_, err := pool.Delete(c.key)
	return err
}

// use has the cache log to an app's logger, until a newer one uses it.
func (c *sharedCache) use(a *App) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apps = append(c.apps, a)
	c.logger.Store(a.logger)
}

// leave ends an app's use, whose logger may not be written to any more.
func (c *sharedCache) leave(a *App) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.apps, a); i >= 0 {
		c.apps = slices.Delete(c.apps, i, i+1)
	}
	if len(c.apps) > 0 {
		c.logger.Store(c.apps[len(c.apps)-1].logger)
	}
}

// Destruct closes the cache.
func (c *sharedCache) Destruct() error { return c.Close() }

// Interface guard
var _ caddy.Destructor = (*sharedCache)(nil)
