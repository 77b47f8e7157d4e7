package caddymodule

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

func init() {
	caddy.RegisterModule(new(SQLite))
}

// SQLite keeps durable state in one file of this machine. It needs no other
// service, and serves one gateway.
type SQLite struct {
	// The file, which is made if need be. It must not be on a network file
	// system. Default: `gatehouse/gatehouse.db` in Caddy's data directory.
	// Accepts global placeholders.
	Path string `json:"path,omitempty"`

	path string
}

// CaddyModule returns the Caddy module information.
func (*SQLite) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: tokenStoreNamespace + ".sqlite", New: func() caddy.Module { return new(SQLite) }}
}

// Provision sets the default.
func (s *SQLite) Provision(caddy.Context) error {
	s.path = filepath.Join(caddy.AppDataDir(), "gatehouse", "gatehouse.db")
	if s.Path == "" {
		return nil
	}
	var err error
	s.path, err = expand("token_store sqlite", s.Path)
	return err
}

// UnmarshalCaddyfile parses:
//
//	token_store sqlite [<path>]
func (s *SQLite) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if d.NextArg() {
		s.Path = d.Val()
		if err := checkValue(d, "token_store sqlite", s.Path); err != nil {
			return err
		}
	}
	if d.NextArg() {
		return tooMany(d, "token_store sqlite")
	}
	return noBlock(d)
}

// OpenTokenStore implements [TokenStoreModule].
func (s *SQLite) OpenTokenStore(context.Context, *slog.Logger) (tokenstore.Store, error) {
	return sqlite.Open(s.path, sqlite.Options{})
}

// lockFile is what the gateways that have the file open lock.
func (s *SQLite) lockFile() string { return s.path + ".lock" }

// isMade reports whether there is a file, be it one that cannot be used.
func (s *SQLite) isMade() bool {
	_, err := os.Stat(s.path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Key implements [TokenStoreModule].
func (s *SQLite) Key() string { return s.path }

// Shared implements [TokenStoreModule].
func (*SQLite) Shared() bool { return false }

// Interface guards
var (
	_ caddy.Provisioner     = (*SQLite)(nil)
	_ caddyfile.Unmarshaler = (*SQLite)(nil)
	_ TokenStoreModule      = (*SQLite)(nil)
)
