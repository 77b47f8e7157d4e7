package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
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
	if p.url, err = expand("token_store postgres", p.URL); err != nil {
		return err
	}
	return checkPostgresURL(p.url)
}

// errPostgresURL does not quote the address: its password may be in it.
var errPostgresURL = errors.New("token_store postgres: the address is not of the form postgres://user:password@host:5432/database" +
	" (in the password, characters such as # % / ? are written as %23 %25 %2F %3F)")

// checkPostgresURL refuses what is obviously no address, without reading the
// files that an address may name: the store itself judges the rest.
func checkPostgresURL(address string) error {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL && strings.Contains(address, "=") {
		return nil // host=… user=…
	}
	if scheme != "postgres" && scheme != "postgresql" {
		return errPostgresURL
	}
	if authority, _, _ := strings.Cut(rest, "/"); strings.Contains(authority, ",") {
		return nil // several hosts, which net/url does not know
	}
	if _, err := url.Parse(address); err != nil {
		return errPostgresURL
	}
	return nil
}

// UnmarshalCaddyfile parses:
//
//	token_store postgres <url>
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if !d.NextArg() || d.Val() == "" {
		return d.Err("postgres needs the database's address, best from the environment: token_store postgres {env.DATABASE_URL}" + unset)
	}
	p.URL = d.Val()
	if err := checkValue(d, "token_store postgres", p.URL); err != nil {
		return err
	}
	if d.NextArg() {
		return tooMany(d, "token_store postgres")
	}
	if isLiteral(p.URL) {
		if err := checkPostgresURL(p.URL); err != nil {
			return d.WrapErr(err)
		}
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
