package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

// Limits of what is kept of a provider's claims.
const (
	maxValue  = 255
	maxGroups = 1000
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
	return s, nil
}

// has tells whether a claim is there; null is not.
func (s claimSet) has(name string) bool {
	raw, ok := s[name]
	return ok && string(raw) != "null"
}

// lookup finds a claim by its name, else by a path of names.
func (s claimSet) lookup(name string) (json.RawMessage, bool) {
	if s.has(name) {
		return s[name], true
	}
	for i, c := range name {
		if c != '.' || !s.has(name[:i]) {
			continue
		}
		var inner claimSet
		if json.Unmarshal(s[name[:i]], &inner) != nil {
			continue
		}
		if raw, ok := inner.lookup(name[i+1:]); ok {
			return raw, true
		}
	}
	return nil, false
}

// text is a claim that is a string, fit to be shown and to stand in a header:
// at most 255 bytes of UTF-8 without control characters. Else "".
func (s claimSet) text(name string) string {
	raw, ok := s.lookup(name)
	if !ok {
		return ""
	}
	return textOf(raw)
}

func textOf(raw json.RawMessage) string {
	var v string
	// The decoder would mend what is no UTF-8, and so make two names one.
	if !utf8.Valid(raw) || json.Unmarshal(raw, &v) != nil {
		return ""
	}
	if len(v) > maxValue || strings.ContainsFunc(v, outbound.Unfit) {
		return ""
	}
	return v
}

// texts is an array of strings, or one string. What else the array holds is
// left out.
func textsOf(raw json.RawMessage) ([]string, error) {
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil {
		many = []json.RawMessage{raw}
	}
	if len(many) > maxGroups {
		return nil, fmt.Errorf("more than %d values", maxGroups)
	}
	var out []string
	seen := make(map[string]bool, len(many))
	for _, one := range many {
		if v := textOf(one); v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out, nil
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
