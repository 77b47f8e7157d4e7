package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis"
)

func init() {
	caddy.RegisterModule(new(Redis))
}

// Redis keeps sign-ins on their way in Redis, for any number of gateways: a
// single server, Sentinel or Cluster. All values accept global placeholders.
type Redis struct {
	// The URL of one server, `redis://user:password@host:port/db`, or
	// `rediss://` for TLS.
	URL string `json:"url,omitempty"`
	// Instead of a URL: `host:port` of some of a Cluster's nodes, or of
	// Sentinels when `master` is set.
	Addresses []string `json:"addresses,omitempty"`
	// What the Sentinels call the master.
	Master string `json:"master,omitempty"`
	// The server named by the URL is part of a Cluster.
	Cluster bool `json:"cluster,omitempty"`
	// How to sign in to the servers, when the URL does not say it.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"` //nolint:gosec // a placeholder, as a rule
	// What all keys begin with. Default: `gatehouse:`.
	Prefix string `json:"prefix,omitempty"`

	options redis.Options
	key     string
}

// CaddyModule returns the Caddy module information.
func (*Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: cacheNamespace + ".redis", New: func() caddy.Module { return new(Redis) }}
}

// Provision expands placeholders.
func (r *Redis) Provision(caddy.Context) error {
	if (r.URL == "") == (len(r.Addresses) == 0) {
		return errors.New("cache redis needs either a URL or addresses")
	}
	expanded := *r
	expanded.Addresses = nil
	var mistakes []error
	for _, value := range []struct {
		option string
		text   *string
	}{
		{"cache redis", &expanded.URL},
		{"master", &expanded.Master},
		{"username", &expanded.Username},
		{"password", &expanded.Password},
		{"prefix", &expanded.Prefix},
	} {
		if *value.text == "" {
			continue
		}
		var err error
		if *value.text, err = expand(value.option, *value.text); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	for _, address := range r.Addresses {
		address, err := expand("addresses", address)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		expanded.Addresses = append(expanded.Addresses, strings.Fields(strings.ReplaceAll(address, ",", " "))...)
	}
	if len(mistakes) > 0 {
		return together(mistakes...)
	}
	key, err := json.Marshal(expanded)
	if err != nil {
		return err
	}
	r.key = string(key)
	r.options = redis.Options{
		URL: expanded.URL, Addrs: expanded.Addresses, MasterName: expanded.Master, Cluster: expanded.Cluster,
		Username: expanded.Username, Password: expanded.Password, Prefix: expanded.Prefix,
	}
	return checkRedis(r.options)
}

// checkRedis finds mistakes that need no server to be found: nothing is dialled
// until a store is used.
func checkRedis(o redis.Options) error {
	store, err := redis.New(o)
	if err != nil {
		return fmt.Errorf("cache redis: %w", err)
	}
	return store.Close()
}

// UnmarshalCaddyfile parses:
//
//	cache redis [<url>] {
//		addresses <host:port…>
//		master    <name>
//		cluster
//		username  <name>
//		password  <password>
//		prefix    <prefix>
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the driver's name
	if d.NextArg() {
		r.URL = d.Val()
		if err := checkValue(d, "cache redis", r.URL); err != nil {
			return err
		}
		if isLiteral(r.URL) {
			if err := checkRedis(redis.Options{URL: r.URL}); err != nil {
				return d.WrapErr(err)
			}
		}
		if strings.Contains(r.URL, "@") {
			warnLiteral(d, "the password in the Redis URL", r.URL)
		}
	}
	if d.NextArg() {
		return tooMany(d, "cache redis")
	}
	texts := map[string]*string{"master": &r.Master, "username": &r.Username, "password": &r.Password, "prefix": &r.Prefix}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch option := d.Val(); option {
		case "addresses":
			if err := someArgs(d, &r.Addresses); err != nil {
				return err
			}
		case "cluster":
			if err := flag(d, &r.Cluster); err != nil {
				return err
			}
		case "master", "username", "password", "prefix":
			if *texts[option] != "" {
				return d.Errf("%s is given twice", option)
			}
			if err := oneArg(d, texts[option]); err != nil {
				return err
			}
			if option == "password" {
				warnLiteral(d, option, r.Password)
			}
		default:
			return d.Errf("unrecognized option %q%s", option,
				meant(option, []string{"addresses", "cluster", "master", "username", "password", "prefix"}, globalOptions...))
		}
	}
	if r.URL == "" && len(r.Addresses) == 0 {
		return d.Err("cache redis needs a URL, or addresses in its block" + unset)
	}
	return nil
}

// OpenCache implements [CacheModule].
func (r *Redis) OpenCache(_ context.Context, logger *slog.Logger) (cache.Store, error) {
	options := r.options
	options.Logger = logger
	return redis.New(options)
}

// Key implements [CacheModule].
func (r *Redis) Key() string { return r.key }

// Shared implements [CacheModule].
func (*Redis) Shared() bool { return true }

// Interface guards
var (
	_ caddy.Provisioner     = (*Redis)(nil)
	_ caddyfile.Unmarshaler = (*Redis)(nil)
	_ CacheModule           = (*Redis)(nil)
)
