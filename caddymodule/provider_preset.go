package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/provider/preset"
)

func init() {
	for _, p := range preset.All() {
		caddy.RegisterModule(&Preset{preset: p})
	}
}

// Preset signs in people at a provider whose ways are known: the types of
// flows/provider/preset.
type Preset struct {
	// The provider's issuer, where it has not one alone. Accepts global placeholders.
	Issuer string `json:"issuer,omitempty"`
	// Options that this provider alone has, each with its values. Values accept global
	// placeholders.
	Options map[string][]string `json:"options,omitempty"`
	OIDCClient

	preset   *preset.Preset
	settings preset.Settings
	client   clientConfig
}

// CaddyModule returns the Caddy module information.
func (p *Preset) CaddyModule() caddy.ModuleInfo {
	kind := p.preset
	return caddy.ModuleInfo{ID: caddy.ModuleID(providerNamespace + "." + kind.Name), New: func() caddy.Module { return &Preset{preset: kind} }}
}

// Provision expands placeholders and judges the options.
func (p *Preset) Provision(ctx caddy.Context) error {
	settings, bad := p.expand()
	if bad == nil {
		p.settings, bad = settings, p.checkSettings(settings)
	}
	// What is wrong with both is said at once.
	var err error
	p.client, err = p.provision(ctx, p.AnyoneCanJoin())
	return together(bad, err)
}

// expand replaces placeholders.
func (p *Preset) expand() (preset.Settings, error) {
	settings := preset.Settings{Options: make(map[string][]string, len(p.Options))}
	var mistakes []error
	if p.Issuer != "" {
		issuer, err := expand("issuer", p.Issuer)
		settings.Issuer, mistakes = issuer, append(mistakes, err)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Options)) {
		expanded := make([]string, 0, len(p.Options[name]))
		for _, value := range p.Options[name] {
			one, err := expand(name, value)
			expanded, mistakes = append(expanded, one), append(mistakes, err)
		}
		settings.Options[name] = expanded
	}
	return settings, together(mistakes...)
}

// checkSettings judges the issuer and the options of the provider's own.
func (p *Preset) checkSettings(s preset.Settings) error {
	switch {
	case s.Issuer == "" && p.preset.Issuer == "":
		return errors.New("issuer is missing: " + p.usage())
	case s.Issuer != "" && p.preset.FixedIssuer:
		return fmt.Errorf("provider %s has one issuer, %s; it is not written", p.preset.Name, p.preset.Issuer)
	case s.Issuer != "":
		if err := checkIssuer(s.Issuer, p.preset.Example); err != nil {
			return err
		}
	}
	return p.preset.Validate(s)
}

func (p *Preset) usage() string { return "provider NAME " + p.preset.Name + " " + p.preset.Example }

// AnyoneCanJoin implements [OpenProvider].
func (p *Preset) AnyoneCanJoin() bool {
	s := p.settings
	if s.Options == nil {
		s = preset.Settings{Issuer: p.Issuer, Options: p.Options}
	}
	return p.preset.IsOpen(s)
}

// checkGroup implements [groupChecker].
func (p *Preset) checkGroup(group string) error {
	if p.preset.CheckGroup == nil {
		return nil
	}
	return p.preset.CheckGroup(group)
}

// OpenProvider implements [ProviderModule].
func (p *Preset) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	config, err := p.preset.Apply(p.client.config(b), p.settings)
	if err != nil {
		return nil, err
	}
	return oidc.New(config)
}

// UnmarshalCaddyfile parses:
//
//	provider <name> <preset> [<issuer>] {
//		<option of the preset's own…>
//		<option of a client…>
//	}
func (p *Preset) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the type
	if d.NextArg() {
		p.Issuer = d.Val()
		if d.NextArg() {
			return d.Errf("provider %s takes the issuer alone behind its type: %s", p.preset.Name, p.usage())
		}
	}
	for d.NextBlock(0) {
		if err := p.parsePresetOption(d); err != nil {
			return err
		}
	}
	if p.isLiteral() {
		if err := p.checkSettings(preset.Settings{Issuer: p.Issuer, Options: p.Options}); err != nil {
			return d.WrapErr(err)
		}
	}
	return p.parseCheck(d, p.AnyoneCanJoin())
}

// isLiteral reports whether the settings can be judged before placeholders are
// replaced.
func (p *Preset) isLiteral() bool {
	for _, values := range p.Options {
		if slices.ContainsFunc(values, func(v string) bool { return !isLiteral(v) }) {
			return false
		}
	}
	return isLiteral(p.Issuer)
}

func (p *Preset) parsePresetOption(d *caddyfile.Dispenser) error {
	name := d.Val()
	option, ok := p.preset.Options[name]
	if !ok {
		if others := preset.OfOption(name); len(others) > 0 && clientOptions[name] == nil {
			return d.Errf("%s is an option of provider type %s, and this one is %s", name, strings.Join(others, ", "), p.preset.Name)
		}
		return p.parseOption(d, slices.Collect(maps.Keys(p.preset.Options))...)
	}
	if _, ok := p.Options[name]; ok {
		return d.Errf("%s is given twice", name)
	}
	if p.Options == nil {
		p.Options = make(map[string][]string)
	}
	var values []string
	switch option.Kind {
	case preset.Flag:
		values = []string{"on"}
		if err := flag(d, new(bool)); err != nil {
			return err
		}
	case preset.Many:
		if err := someWords(d, &values); err != nil {
			return err
		}
	default:
		var value string
		if err := oneArg(d, &value); err != nil {
			return err
		}
		values = []string{value}
	}
	p.Options[name] = values
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Preset)(nil)
	_ caddyfile.Unmarshaler = (*Preset)(nil)
	_ ProviderModule        = (*Preset)(nil)
	_ OpenProvider          = (*Preset)(nil)
	_ groupChecker          = (*Preset)(nil)
)
