package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
	"golang.org/x/net/http/httpguts"
)

// Headers are the names of the headers that tell upstreams who is signed in.
// "off" sends none of that kind; the default name is then still removed from
// what clients send.
type Headers struct {
	// Who it is, as policies and the access log name them. Default:
	// `Remote-User`.
	User string `json:"user,omitempty"`
	// The verified e-mail address. Default: `Remote-Email`.
	Email string `json:"email,omitempty"`
	// The name for people. Default: `Remote-Name`.
	Name string `json:"name,omitempty"`
	// The groups, separated by commas. Default: `Remote-Groups`.
	Groups string `json:"groups,omitempty"`
	// The most bytes of the groups' header: groups beyond are left out of it, as a
	// whole. Servers refuse requests whose headers are too long, often of more than
	// 8 KiB. Default: no limit.
	GroupsSize int `json:"groups_size,omitempty"`
}

// headerOff is the name that switches a header off.
const headerOff = "off"

var defaultHeaders = Headers{User: "Remote-User", Email: "Remote-Email", Name: "Remote-Name", Groups: "Remote-Groups"}

func (h *Headers) fields() []*string {
	return []*string{&h.User, &h.Email, &h.Name, &h.Groups}
}

// parseHeaders parses `headers { user NAME … }`.
func parseHeaders(d *caddyfile.Dispenser) (*Headers, error) {
	if err := noArgsBehind(d); err != nil {
		return nil, err
	}
	h := new(Headers)
	kinds := []string{"user", "email", "name", "groups", "groups_size"}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() == "groups_size" {
			if err := h.parseGroupsSize(d); err != nil {
				return nil, err
			}
			continue
		}
		i := slices.Index(kinds, d.Val())
		if i < 0 {
			return nil, d.Errf("unrecognized header %q%s", d.Val(), meant(d.Val(), kinds, globalOptions...))
		}
		field := h.fields()[i]
		if *field != "" {
			return nil, d.Errf("%s is given twice", d.Val())
		}
		if err := oneArg(d, field); err != nil {
			return nil, err
		}
		if err := checkHeaderName(*field); err != nil {
			return nil, d.WrapErr(err)
		}
	}
	return h, nil
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

// reservedHeaders cannot carry an identity: something else gives them meaning.
var reservedHeaders = []string{
	"Accept", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Host", "Keep-Alive",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func checkHeaderName(name string) error {
	if name == headerOff {
		return nil
	}
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%q is not a possible header name", name)
	}
	if slices.Contains(reservedHeaders, http.CanonicalHeaderKey(name)) {
		return fmt.Errorf("the header %s has another meaning", name)
	}
	return nil
}

// compile checks the names and prepares removing and setting them.
func (h *Headers) compile() (*headerSet, error) {
	chosen := defaultHeaders
	set := new(headerSet)
	for _, name := range chosen.fields() {
		set.remove(*name)
	}
	if h != nil {
		if set.groupsSize = h.GroupsSize; set.groupsSize < 0 {
			return nil, errors.New("headers: groups_size is negative")
		}
		for i, name := range h.fields() {
			if *name == "" {
				continue
			}
			if err := checkHeaderName(*name); err != nil {
				return nil, fmt.Errorf("headers: %w", err)
			}
			*chosen.fields()[i] = *name
		}
	}
	for i, name := range chosen.fields() {
		if *name == headerOff {
			continue
		}
		key := http.CanonicalHeaderKey(*name)
		if slices.Contains(set.names[:], key) {
			return nil, fmt.Errorf("headers: %s is used twice", *name)
		}
		set.names[i] = key
		set.remove(key)
	}
	return set, nil
}
