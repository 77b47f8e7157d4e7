package caddymodule

import (
	"context"
	"log/slog"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// The name of the app, and the namespaces of its guest modules.
const (
	appName             = "gatehouse"
	providerNamespace   = "gatehouse.providers"
	tokenStoreNamespace = "gatehouse.token_stores"
	cacheNamespace      = "gatehouse.caches"
)

// TokenStoreModule is what a module of gatehouse.token_stores implements.
type TokenStoreModule interface {
	// OpenTokenStore returns the store. It is called when the server starts,
	// once for all configurations with the same Key. It must not fail because
	// the store cannot be reached now: its methods then answer
	// [tokenstore.ErrUnavailable].
	OpenTokenStore(ctx context.Context, logger *slog.Logger) (tokenstore.Store, error)
	// Key is equal for two configurations of the same store. It may hold
	// secrets; only its hash is kept.
	Key() string
	// Shared reports whether other gateways may use the same store.
	Shared() bool
}

// CacheModule is what a module of gatehouse.caches implements.
type CacheModule interface {
	// OpenCache returns the cache; see [TokenStoreModule].
	OpenCache(ctx context.Context, logger *slog.Logger) (cache.Store, error)
	// Key is equal for two configurations of the same cache. It may hold
	// secrets; only its hash is kept.
	Key() string
	// Shared reports whether other gateways may use the same cache.
	Shared() bool
}

// ProviderBlock is the part of a provider block that all types have in common.
type ProviderBlock struct {
	Name  string
	Title string // "" leaves it to the module
	// StoreTokens: tokens are kept, so ask for a refresh token.
	StoreTokens bool
	Logger      *slog.Logger
}

// ProviderModule is what a module of gatehouse.providers implements.
type ProviderModule interface {
	// OpenProvider makes the provider of one block. It does no I/O: the
	// provider may be served by this very Caddy.
	OpenProvider(b ProviderBlock) (provider.Provider, error)
}

// OpenProvider is a provider module that knows whether anybody can open an
// account there. Then the configuration must say who may enter.
type OpenProvider interface {
	AnyoneCanJoin() bool
}
