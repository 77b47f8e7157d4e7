package scope_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/scope"
)

func TestCatalog_Covers(t *testing.T) {
	c := scope.Catalog{
		"files:admin": {Words: "Manage", Implies: []string{"files:write"}},
		"files:write": {Words: "Change", Implies: []string{"files:read", "files:list"}},
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		have, want string
		covers     bool
	}{
		{"files:admin", "files:read files:list", true},
		{"files:write", "files:read files:write", true},
		{"files:read", "files:read", true},
		{"", "", true},
		{"x", "", true},
		{"files:read", "files:write", false},
		{"files:read files:list", "files:write", false},
		{"files:admin", "files:other", false},
		{"files", "files:read", false},
		{"", "files:read", false},
	} {
		if got := c.Covers(strings.Fields(w.have), strings.Fields(w.want)); got != w.covers {
			t.Errorf("%q covers %q: %v", w.have, w.want, got)
		}
		if got := scope.Catalog(nil).Covers(strings.Fields(w.have), strings.Fields(w.want)); got && !w.covers {
			t.Errorf("without a catalog %q covers %q", w.have, w.want)
		}
	}
}

func TestCatalog_Validate(t *testing.T) {
	for name, c := range map[string]scope.Catalog{
		"no words":         {"a": {}},
		"control":          {"a": {Words: "Change\nall"}},
		"bidirectional":    {"a": {Words: "Read \u202egnihton"}},
		"too long":         {"a": {Words: strings.Repeat("x", 201)}},
		"a space":          {"a b": {Words: "x"}},
		"a quote":          {`a"`: {Words: "x"}},
		"openid":           {"openid": {Words: "x"}},
		"implies offline":  {"a": {Words: "x", Implies: []string{"offline_access"}}},
		"implies itself":   {"a": {Words: "x", Implies: []string{"a"}}},
		"implies no scope": {"a": {Words: "x", Implies: []string{"b c"}}},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	circle := scope.Catalog{"a": {Words: "x", Implies: []string{"b"}}, "b": {Words: "x", Implies: []string{"c"}}, "c": {Words: "x", Implies: []string{"a"}}}
	if err := circle.Validate(); !errors.Is(err, scope.ErrCircle) {
		t.Errorf("a circle: %v", err)
	}
}
