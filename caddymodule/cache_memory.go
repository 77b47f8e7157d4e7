package caddymodule

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
)

func init() {
	caddy.RegisterModule(new(Memory))
}

// Memory keeps sign-ins on their way in this process. It needs no other service,
// and serves one gateway; a restart ends sign-ins that are under way, and no
// session.
type Memory struct{}

// CaddyModule returns the Caddy module information.
func (*Memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: cacheNamespace + ".memory", New: func() caddy.Module { return new(Memory) }}
}

// UnmarshalCaddyfile parses:
//
//	cache memory
func (*Memory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if err := noArgsBehind(d); err != nil {
		return err
	}
	return noBlock(d)
}

// OpenCache implements [CacheModule].
func (*Memory) OpenCache(context.Context, *slog.Logger) (cache.Store, error) {
	return memory.New(memory.Options{}), nil
}

// Key implements [CacheModule].
func (*Memory) Key() string { return "" }

// Shared implements [CacheModule].
func (*Memory) Shared() bool { return false }

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Memory)(nil)
	_ CacheModule           = (*Memory)(nil)
)
