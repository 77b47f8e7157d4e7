package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

var headerKinds = []string{"user", "email", "name", "groups", "groups_size", "claim", "assertion", "id_token", "basic_auth"}

// parseHeaders parses:
//
//	headers {
//		user | email | name <header name> | off
//		groups <header name> | off [as json | repeated | separated <character> [refuse]]
//		groups_size <size>
//		claim <claim> <header name>
//		assertion <header name> | off
//		id_token <header name> | off
//		basic_auth <password>
//	}
func parseHeaders(d *caddyfile.Dispenser, around ...string) (*Headers, error) {
	if err := noArgsBehind(d); err != nil {
		return nil, err
	}
	h := new(Headers)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := h.parseOption(d, around); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *Headers) parseOption(d *caddyfile.Dispenser, around []string) error {
	kind := d.Val()
	switch kind {
	case "groups":
		return h.parseGroups(d)
	case "groups_size":
		return h.parseGroupsSize(d)
	case "claim":
		return h.parseClaim(d)
	case "user", "email", "name":
		return parseHeaderName(d, h.fields()[slices.Index(headerKinds, kind)])
	case "assertion":
		return parseHeaderName(d, &h.Assertion)
	case "id_token":
		return parseHeaderName(d, &h.IDToken)
	case "basic_auth":
		if h.BasicAuth != "" {
			return d.Errf("%s is given twice", kind)
		}
		if err := oneArg(d, &h.BasicAuth); err != nil {
			return err
		}
		warnLiteral(d, kind, h.BasicAuth)
		return nil
	}
	return d.Errf("unrecognized header %q%s", kind, meant(kind, headerKinds, around...))
}

func parseHeaderName(d *caddyfile.Dispenser, target *string) error {
	if *target != "" {
		return d.Errf("%s is given twice", d.Val())
	}
	if err := oneArg(d, target); err != nil {
		return err
	}
	if err := checkHeaderName(*target); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseGroups parses `groups <header name> [as …]`.
func (h *Headers) parseGroups(d *caddyfile.Dispenser) error {
	if h.Groups != "" {
		return d.Err("groups is given twice")
	}
	args := d.RemainingArgs()
	if len(args) == 0 {
		return missingValue(d, "groups")
	}
	h.Groups = args[0]
	if err := checkHeaderName(h.Groups); err != nil {
		return d.WrapErr(err)
	}
	const shape = "groups takes a header name and, where needed, how they are written: groups Remote-Groups as json | repeated | separated <character> [refuse]"
	if args = args[1:]; len(args) > 0 {
		if args[0] != "as" || len(args) < 2 {
			return d.Err(shape)
		}
		h.GroupsAs, args = args[1], args[2:]
		if h.GroupsAs == groupsSeparated && len(args) > 0 {
			h.Separator, args = args[0], args[1:]
			if len(args) > 0 && args[0] == "refuse" {
				h.RefuseSeparator, args = true, args[1:]
			}
		}
		if len(args) > 0 || h.GroupsAs == groupsSeparated && h.Separator == "" {
			return d.Err(shape)
		}
	}
	if _, err := h.listFormat(); err != nil {
		return d.WrapErr(err)
	}
	return noBlock(d)
}

// parseClaim parses `claim <claim> <header name>`.
func (h *Headers) parseClaim(d *caddyfile.Dispenser) error {
	var claim, name string
	if !d.AllArgs(&claim, &name) {
		return d.Err("claim needs the claim's name and a header's: claim department X-Department" + unset)
	}
	if err := checkHeaderName(name); err != nil {
		return d.WrapErr(err)
	}
	if _, ok := h.Claims[name]; ok {
		return d.Errf("the header %s is given twice", name)
	}
	if h.Claims == nil {
		h.Claims = make(map[string]string)
	}
	h.Claims[name] = claim
	return noBlock(d)
}

// minGroupsSize is the least that groups_size can be: room for one group.
const minGroupsSize = 256

// parseGroupsSize parses `groups_size <size>`.
func (h *Headers) parseGroupsSize(d *caddyfile.Dispenser) error {
	if h.GroupsSize != 0 {
		return d.Err("groups_size is given twice")
	}
	var value string
	if err := oneArg(d, &value); err != nil {
		return err
	}
	size, err := humanize.ParseBytes(value)
	if err != nil || size < minGroupsSize || size > 1<<20 {
		return d.Errf("groups_size must be a size from 256 bytes to 1 MiB, such as 4KiB, not %q", value)
	}
	h.GroupsSize = int(size) //nolint:gosec // bounded above
	return nil
}
