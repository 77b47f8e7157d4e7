package caddymodule

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/provider/preset"
)

func init() {
	caddy.RegisterModule(new(OIDC))
}

// OIDC is an identity provider by OpenID Connect. Its metadata are fetched when
// they are first needed, so that the provider may be started later, or by this
// very Caddy.
type OIDC struct {
	// The provider's issuer. Required. Accepts global placeholders.
	Issuer string `json:"issuer,omitempty"`
	OIDCClient

	issuer string
	client clientConfig
}

// CaddyModule returns the Caddy module information.
func (*OIDC) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".oidc", New: func() caddy.Module { return new(OIDC) }}
}

// Provision expands placeholders.
func (o *OIDC) Provision(ctx caddy.Context) error {
	if o.Issuer == "" {
		return errors.New("issuer is missing: provider NAME oidc ISSUER")
	}
	var err error
	if o.issuer, err = expand("issuer", o.Issuer); err != nil {
		return err
	}
	if err := checkIssuer(o.issuer, "https://sso.example.com"); err != nil {
		return err
	}
	o.client, err = o.provision(ctx, o.AnyoneCanJoin())
	return err
}

// AnyoneCanJoin implements [OpenProvider].
func (o *OIDC) AnyoneCanJoin() bool {
	issuer := o.issuer
	if issuer == "" {
		issuer = o.Issuer
	}
	return preset.IsOpenIssuer(issuer)
}

// UnmarshalCaddyfile parses:
//
//	provider <name> oidc <issuer> {
//		<option of a client…>
//	}
func (o *OIDC) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the type
	if !d.AllArgs(&o.Issuer) {
		return d.Err("provider oidc needs its issuer: provider NAME oidc https://sso.example.com" + unset)
	}
	if isLiteral(o.Issuer) {
		if err := checkIssuer(o.Issuer, "https://sso.example.com"); err != nil {
			return d.WrapErr(err)
		}
		if err := o.parseCheckURL(d, "issuer", o.Issuer); err != nil {
			return err
		}
	}
	for d.NextBlock(0) {
		if err := o.parseOption(d); err != nil {
			return err
		}
	}
	return o.parseCheck(d, o.AnyoneCanJoin())
}

// OpenProvider implements [ProviderModule].
func (o *OIDC) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	config := o.client.config(b)
	config.Issuer = o.issuer
	if known := preset.OfIssuer(o.issuer); known != nil {
		var err error
		if config, err = known.Apply(config, preset.Settings{}); err != nil {
			return nil, err
		}
	}
	return oidc.New(config)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*OIDC)(nil)
	_ caddyfile.Unmarshaler = (*OIDC)(nil)
	_ ProviderModule        = (*OIDC)(nil)
	_ OpenProvider          = (*OIDC)(nil)
)
