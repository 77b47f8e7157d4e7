package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// keptClaims is an option of claims that are kept.
func keptClaims(of func(*OIDCClient) *[]string) clientOption {
	return func(c *OIDCClient, d *caddyfile.Dispenser) error {
		option := d.Val()
		if *of(c) != nil {
			return d.Errf("%s is given twice", option)
		}
		if err := someWords(d, of(c)); err != nil {
			return err
		}
		for _, name := range *of(c) {
			if err := oidc.CheckKept(name); err != nil {
				return d.WrapErr(err)
			}
		}
		return nil
	}
}

// keptClaims implements [claimKeeper].
func (c *OIDCClient) keptClaims() []string { return slices.Concat(c.Claims, c.AccessTokenClaims) }
