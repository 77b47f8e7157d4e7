package caddymodule

import (
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

var registrationOptions = []string{"metadata_documents", "dynamic"}

// registration parses:
//
//	client_registration {
//		metadata_documents <host…> | any
//		dynamic
//	}
func (p *globalParser) registration(d *caddyfile.Dispenser) error {
	if err := noArgsBehind(d); err != nil {
		return err
	}
	c := new(ClientRegistration)
	var seen []string
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if slices.Contains(seen, option) {
			return d.Errf("%s is given twice", option)
		}
		seen = append(seen, option)
		var err error
		switch option {
		case "metadata_documents":
			if err = someWords(d, &c.MetadataDocuments); err == nil {
				err = wrapped(d, c.check())
			}
		case "dynamic":
			err = flag(d, &c.Dynamic)
		default:
			err = d.Errf("unrecognized option %q of client_registration%s", option, meant(option, registrationOptions, globalOptions...))
		}
		if err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		return d.Err("client_registration says nothing; add metadata_documents HOST, dynamic, or both")
	}
	p.app.ClientRegistration = c
	return nil
}

func wrapped(d *caddyfile.Dispenser, err error) error {
	if err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// hostOf is the host of what was meant for a host name, or "".
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Hostname()
	}
	host, _, _ := strings.Cut(text, "/")
	return host
}

// parseSelfRegistered parses `self_registered [<scope…>]`.
func (g *Guard) parseSelfRegistered(h httpcaddyfile.Helper, app *App) error {
	if g.SelfRegistered != nil {
		return h.Err("self_registered is given twice; name all scopes in one line")
	}
	if app.ClientRegistration == nil {
		return h.Err("self_registered: no client can register itself; say in the global gatehouse block how they may: client_registration { dynamic }")
	}
	g.SelfRegistered = new(SelfRegistered)
	if h.CountRemainingArgs() == 0 {
		return noBlock(h.Dispenser)
	}
	if err := someWords(h.Dispenser, &g.SelfRegistered.Scopes); err != nil {
		return err
	}
	return wrapped(h.Dispenser, g.SelfRegistered.check())
}
