package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/scope"
)

// scope parses:
//
//	scope <name> <words> {
//		implies <scope…>
//	}
func (p *globalParser) scope(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err(`scope takes a name and, in quotes, what people read when a client asks for it: scope files:write "Change your files"`)
	}
	name, made := args[0], scope.Scope{Words: args[1]}
	if _, again := p.app.Scopes[name]; again {
		return d.Errf("scope %s is given twice", name)
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "implies" {
			return d.Errf("unrecognized option %q of scope%s", d.Val(), meant(d.Val(), []string{"implies"}, globalOptions...))
		}
		if err := someWords(d, &made.Implies); err != nil {
			return err
		}
	}
	if err := made.Validate(name); err != nil {
		return d.WrapErr(err)
	}
	if p.app.Scopes == nil {
		p.app.Scopes = make(scope.Catalog)
	}
	p.app.Scopes[name] = made
	if err := p.app.Scopes.Validate(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
