package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
)

// How groups are written into their header.
const (
	groupsSeparated = "separated"
	groupsJSON      = "json"
	groupsRepeated  = "repeated"
)

// compile checks the names and prepares removing and setting them. Each is taken from
// the first of the configurations that has it: a site's, and the default.
func (h *Headers) compile(otherwise *Headers) (*headerSet, error) {
	chosen, set := h.over(otherwise), new(headerSet)
	for _, name := range []string{defaultHeaders.User, defaultHeaders.Email, defaultHeaders.Name, defaultHeaders.Groups, accesstoken.OwnHeader} {
		set.remove(name)
	}
	used := make(map[string]bool)
	take := func(name string) (string, error) {
		if err := checkHeaderName(name); err != nil {
			return "", fmt.Errorf("headers: %w", err)
		}
		if used[normalForm(name)] {
			return "", fmt.Errorf("headers: %s is used twice, maybe in another spelling", name)
		}
		used[normalForm(name)] = true
		set.remove(name)
		return http.CanonicalHeaderKey(name), nil
	}
	var err error
	for i, name := range chosen.fields() {
		if *name == headerOff {
			continue
		}
		if set.names[i], err = take(*name); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(chosen.Claims)) {
		key, err := take(name)
		if err != nil {
			return nil, err
		}
		set.claims = append(set.claims, claimHeader{key: key, claim: chosen.Claims[name]})
		set.asserts = append(set.asserts, chosen.Claims[name])
	}
	if chosen.Assertion != "" && chosen.Assertion != headerOff {
		if set.assertion, err = take(chosen.Assertion); err != nil {
			return nil, err
		}
	}
	if chosen.IDToken != "" && chosen.IDToken != headerOff {
		if set.idToken, err = take(chosen.IDToken); err != nil {
			return nil, err
		}
	}
	if set.groupsSize = chosen.GroupsSize; set.groupsSize < 0 {
		return nil, errors.New("headers: groups_size is negative")
	}
	if set.lists, err = chosen.listFormat(); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	if set.basic, err = chosen.password(); err != nil {
		return nil, err
	}
	return set, nil
}

// over are the headers with what they lack taken from others, and then from the
// defaults.
func (h *Headers) over(otherwise *Headers) Headers {
	var out Headers
	layers := []*Headers{h, otherwise, &defaultHeaders}
	for _, layer := range layers {
		if layer == nil {
			continue
		}
		for i, name := range layer.fields() {
			*out.fields()[i] = cmp.Or(*out.fields()[i], *name)
		}
		if out.GroupsAs == "" {
			out.GroupsAs, out.Separator, out.RefuseSeparator = layer.GroupsAs, layer.Separator, layer.RefuseSeparator
		}
		out.GroupsSize = cmp.Or(out.GroupsSize, layer.GroupsSize)
		out.Assertion = cmp.Or(out.Assertion, layer.Assertion)
		out.IDToken = cmp.Or(out.IDToken, layer.IDToken)
		out.BasicAuth = cmp.Or(out.BasicAuth, layer.BasicAuth)
		for name, claim := range layer.Claims {
			if out.Claims == nil {
				out.Claims = make(map[string]string)
			}
			if _, ok := out.Claims[name]; !ok {
				out.Claims[name] = claim
			}
		}
	}
	return out
}

func (h *Headers) listFormat() (listFormat, error) {
	f := listFormat{as: cmp.Or(h.GroupsAs, groupsSeparated), separator: ',', refuse: h.RefuseSeparator}
	switch {
	case f.as != groupsSeparated && f.as != groupsJSON && f.as != groupsRepeated:
		return f, fmt.Errorf("groups are written as json, repeated or separated, not %q%s", h.GroupsAs, didYouMean(h.GroupsAs, []string{groupsJSON, groupsRepeated, groupsSeparated}))
	case h.Separator == "":
	case len(h.Separator) != 1 || h.Separator[0] < ' ' || h.Separator[0] >= 0x7f || h.Separator == "%" || isAlphanumeric(h.Separator[0]):
		return f, fmt.Errorf("the separator of groups is one character of ASCII that is no letter, digit or percent sign, not %q", h.Separator)
	default:
		f.separator = h.Separator[0]
	}
	return f, nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// password is that of basic_auth, or "".
func (h *Headers) password() (string, error) {
	if h.BasicAuth == "" {
		return "", nil
	}
	return expand("basic_auth", h.BasicAuth)
}
