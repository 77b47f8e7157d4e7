package caddymodule

import (
	"context"
	"log/slog"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
)

func init() {
	caddy.RegisterModule(new(Postgres))
}

// Postgres keeps durable state in PostgreSQL, for any number of gateways.
type Postgres struct {
	// The database's address, `postgres://user:password@host:port/name` or
	// `host=… user=…`. Settings of pgxpool such as `pool_max_conns` may be in
	// it. Accepts global placeholders.
	URL string `json:"url,omitempty"`

	url string
}

// CaddyModule returns the Caddy module information.
func (*Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: tokenStoreNamespace + ".postgres", New: func() caddy.Module { return new(Postgres) }}
}

// Provision expands placeholders. An empty address is an error: it would mean
// the local socket.
func (p *Postgres) Provision(caddy.Context) error {
	var err error
	p.url, err = expand("token_store postgres", p.URL)
	return err
}

// UnmarshalCaddyfile parses:
//
//	token_store postgres <url>
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if !d.AllArgs(&p.URL) {
		return d.Err("postgres needs the database's address, best from the environment: token_store postgres {env.DATABASE_URL}")
	}
	if strings.Contains(p.URL, "@") || strings.Contains(p.URL, "password=") {
		warnLiteral(d, "the password in the database's address", p.URL)
	}
	return noBlock(d)
}

// OpenTokenStore implements [TokenStoreModule].
func (p *Postgres) OpenTokenStore(ctx context.Context, _ *slog.Logger) (tokenstore.Store, error) {
	return postgres.Open(ctx, postgres.Options{URL: p.url})
}

// Key implements [TokenStoreModule].
func (p *Postgres) Key() string { return p.url }

// Shared implements [TokenStoreModule].
func (*Postgres) Shared() bool { return true }

// Interface guards
var (
	_ caddy.Provisioner     = (*Postgres)(nil)
	_ caddyfile.Unmarshaler = (*Postgres)(nil)
	_ TokenStoreModule      = (*Postgres)(nil)
)
