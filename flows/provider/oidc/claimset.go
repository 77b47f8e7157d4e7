package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Limits of what is kept of a provider's claims.
const (
	maxValue  = 255
	maxValues = 100
	maxGroups = 20_000 // of an answer that is bounded as a whole
	maxExtra  = 4 << 10
)

// claimSet is a JSON object of claims, by their exact names: a decoder that
// reads "SUB" for "sub" lets one claim stand in for another.
type claimSet map[string]json.RawMessage

func parseClaims(payload []byte) (claimSet, error) {
	var s claimSet
	if err := json.Unmarshal(payload, &s); err != nil || s == nil {
		return nil, errors.New("its claims are not a JSON object")
	}
	if namesTwice(payload) {
		return nil, errors.New("it has a claim twice")
	}
	return s, nil
}

// has reports whether a claim is there; null is not.
func (s claimSet) has(name string) bool {
	raw, ok := s[name]
	return ok && !isNull(raw)
}

// found is what became of looking for a claim.
type found uint8

const (
	notFound found = iota
	// foundBroken: something is where the claim should be, and cannot be read.
	foundBroken
	foundValue
)

// lookup finds a claim by its name, else by a path of names.
func (s claimSet) lookup(name string) (json.RawMessage, found) {
	if s.has(name) {
		return s[name], foundValue
	}
	broken := notFound
	for i, c := range name {
		if c != '.' || !s.has(name[:i]) {
			continue
		}
		inner, err := parseClaims(s[name[:i]])
		if err != nil {
			broken = foundBroken
			continue
		}
		raw, at := inner.lookup(name[i+1:])
		if at == foundValue {
			return raw, at
		}
		broken = max(broken, at)
	}
	return nil, broken
}

// delegates reports whether a claim, or what it is part of, is to be fetched
// elsewhere (OpenID Connect Core, section 5.6.2). Microsoft Entra does so with more
// groups than fit into a token, or says only that there are some.
func (s claimSet) delegates(name string) bool {
	if name == "groups" && !s.has(name) && s.has("hasgroups") && string(s["hasgroups"]) != "false" {
		return true
	}
	if !s.has("_claim_names") {
		return false
	}
	names, err := parseClaims(s["_claim_names"])
	if err != nil {
		return !s.has(name) // it may be named there
	}
	if _, ok := names[name]; ok {
		return true
	}
	for i, c := range name {
		if _, ok := names[name[:i]]; ok && c == '.' {
			return true
		}
	}
	return false
}

// text is a claim that is a string, fit to be shown and to stand in a header:
// at most 255 bytes of UTF-8 without control characters. Else "".
func (s claimSet) text(name string) string {
	raw, _ := s.lookup(name)
	return textOf(raw)
}

func textOf(raw json.RawMessage) string {
	v, ok := stringOf(raw)
	if !ok || len(v) > maxValue || strings.ContainsFunc(v, outbound.Unfit) {
		return ""
	}
	return v
}

// texts is an array of strings, or one string. What else the array holds is
// left out, and of very many the last.
func textsOf(raw json.RawMessage) []string {
	many, ok := listOf(raw)
	if !ok {
		many = []json.RawMessage{raw}
	}
	var out []string
	for _, one := range many[:min(len(many), maxValues)] {
		if v := textOf(one); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// date is a NumericDate (RFC 7519, section 2): a number, within the years that
// a clock can have. ok is false when the claim is missing.
func (s claimSet) date(name string) (t time.Time, ok bool, err error) {
	if !s.has(name) {
		return time.Time{}, false, nil
	}
	raw := s[name]
	var seconds float64
	if (raw[0] < '0' || raw[0] > '9') || json.Unmarshal(raw, &seconds) != nil ||
		seconds <= 0 || seconds > maxDate {
		return time.Time{}, false, fmt.Errorf("its %s is no date", name)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// audience is one string or an array of strings, nothing else.
func (s claimSet) audience() ([]string, error) {
	var one string
	if json.Unmarshal(s["aud"], &one) == nil {
		return []string{one}, nil
	}
	var many []*string
	if err := json.Unmarshal(s["aud"], &many); err != nil {
		return nil, errors.New("its audience is no string")
	}
	var out []string
	for _, a := range many {
		if a == nil {
			return nil, errors.New("its audience is no string")
		}
		out = append(out, *a)
	}
	return out, nil
}
