package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// provider parses `provider NAME [TYPE] [ARG…] { … }`. title, keep_groups, store_tokens,
// allow and deny are ours; everything else is for the module of that type.
func (p *globalParser) provider(d *caddyfile.Dispenser) error {
	start := d.Token()
	if !d.NextArg() {
		return d.Err("provider needs a name: provider google, or provider NAME oidc ISSUER")
	}
	config := &ProviderConfig{Name: d.Val()}
	if err := p.checkProviderName(d); err != nil {
		return err
	}
	typ, head, err := p.providerHead(d, config.Name)
	if err != nil {
		return err
	}

	var rest []caddyfile.Token
	end := start
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		end = d.Token()
		switch d.Val() {
		case "title":
			if err := oneArg(d, &config.Title); err != nil {
				return err
			}
		case "hidden":
			if err := flag(d, &config.Hidden); err != nil {
				return err
			}
		case "domains":
			if err := parseDomains(d, config); err != nil {
				return err
			}
		case "keep_groups":
			if err := parseKeepGroups(d, config); err != nil {
				return err
			}
		case "store_tokens":
			if err := parseStoreTokens(d, config); err != nil {
				return err
			}
		case "allow", "deny":
			if err := p.callerRule(d, config); err != nil {
				return err
			}
		default:
			segment := d.NextSegment()
			rest = append(rest, segment...)
			end = segment[len(segment)-1]
		}
	}
	module, err := unmarshalProvider(typ, start, head, rest, end)
	if err != nil {
		return err
	}
	config.ModuleRaw = caddyconfig.JSONModuleObject(module, "type", typ, nil)
	p.app.Providers = append(p.app.Providers, config)
	return nil
}

// providerHead parses `[TYPE] [ARG…]`. The type is by default the name, and then the
// issuer may follow at once: provider keycloak https://….
func (p *globalParser) providerHead(d *caddyfile.Dispenser, name string) (typ string, head []caddyfile.Token, err error) {
	known := moduleNames(providerNamespace)
	typ = name
	head = []caddyfile.Token{d.Token()}
	switch {
	case !d.NextArg():
		if !slices.Contains(known, typ) {
			return "", nil, p.unknownType(d, typ)
		}
	case strings.Contains(d.Val(), "://") && slices.Contains(known, typ):
		head = append(head, d.Token())
	case !slices.Contains(known, d.Val()):
		return "", nil, d.Errf("there is no provider type %q%s", d.Val(), meantType(name, d.Val()))
	default:
		typ = d.Val()
		head = []caddyfile.Token{d.Token()}
	}
	for d.NextArg() {
		head = append(head, d.Token())
	}
	return typ, head, nil
}

// callerRule parses a line about who may come from this provider. It need not
// say provider NAME.
func (p *globalParser) callerRule(d *caddyfile.Dispenser, config *ProviderConfig) error {
	line, err := parseRule(d, &config.Allow, &config.Deny)
	if err != nil {
		return err
	}
	if _, err := policy.CallerRules(config.Name, []policy.Rule{line.rule}, nil); err != nil {
		return d.WrapErr(err)
	}
	line.rule.Provider = []string{config.Name}
	return line.check(d, []string{config.Name})
}

func (p *globalParser) checkProviderName(d *caddyfile.Dispenser) error {
	name := d.Val()
	switch {
	case !validName(name):
		return d.Errf("provider name %q: only lower-case letters, digits, - and _ are possible, because it is part of URLs", name)
	case name == policy.AnyProvider:
		return d.Errf("a provider cannot be called %q: rules mean every provider by it", name)
	case slices.Contains(p.app.providerNames(), name):
		return d.Errf("provider %q is defined twice", name)
	}
	return nil
}

// unknownType is about `provider gogle`: a misspelt type, or a name whose type
// was left out.
func (p *globalParser) unknownType(d *caddyfile.Dispenser, name string) error {
	known := moduleNames(providerNamespace)
	near := strings.TrimSuffix(strings.TrimPrefix(didYouMean(name, known), "; did you mean \""), "\"?")
	if !slices.Contains(known, near) {
		return d.Errf("there is no provider type %q; a provider of your own is written: provider %s oidc ISSUER (known types: %s)",
			name, name, strings.Join(known, ", "))
	}
	return d.Errf("there is no provider type %q; did you mean: provider %s, or: provider %s oidc ISSUER?", name, near, name)
}

// meantType is [didYouMean] for the type of a named provider: whatever has a brand
// of its own most likely speaks OpenID Connect.
func meantType(name, typ string) string {
	if strings.Contains(typ, "://") {
		return "; did you mean: provider " + name + " oidc " + typ
	}
	hint := didYouMean(typ, moduleNames(providerNamespace))
	if strings.HasPrefix(hint, "; known: ") {
		hint += "; whatever speaks OpenID Connect is written: provider " + name + " oidc ISSUER"
	}
	return hint
}

// unmarshalProvider gives a provider's module its part of the block, as
// `TYPE ARG… { … }`, with the tokens' own files and lines.
func unmarshalProvider(typ string, start caddyfile.Token, head, rest []caddyfile.Token, end caddyfile.Token) (caddyfile.Unmarshaler, error) {
	tokens := slices.Clone(head)
	if len(rest) > 0 {
		// Made of the first token, which is not quoted: a quoted brace is text.
		open, closing := start.Clone(), start.Clone()
		open.Text, open.Line = "{", head[len(head)-1].Line
		// The last token may be of an option of ours that was imported, from a line that
		// says nothing here: a brace on the same line as the module's last option would be
		// one of its values.
		last := rest[len(rest)-1]
		closing.Text, closing.Line = "}", last.Line+last.NumLineBreaks()+1
		if end.File == start.File {
			closing.Line = max(closing.Line, end.Line+end.NumLineBreaks()+1)
		}
		tokens = append(append(append(tokens, open), rest...), closing)
	}
	d := caddyfile.NewDispenser(tokens)
	mod, err := caddy.GetModule(providerNamespace + "." + typ)
	if err != nil {
		return nil, d.WrapErr(err)
	}
	module, ok := mod.New().(caddyfile.Unmarshaler)
	if !ok {
		return nil, d.Errf("provider type %q cannot be configured in a Caddyfile", typ)
	}
	return module, module.UnmarshalCaddyfile(d)
}
