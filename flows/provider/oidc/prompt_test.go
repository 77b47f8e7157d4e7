package oidc

import (
	"encoding/json"
	"testing"
)

// prompt_values_supported is a hint (OpenID Connect Prompt Create, section 4): a
// shape that is not known says nothing, and does not make the provider unusable.
func TestTakesPrompt(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		takes  bool
	}{
		"absent":          {``, true},
		"empty":           {`[]`, true},
		"null":            {`null`, true},
		"named":           {`["none","select_account"]`, true},
		"not named":       {`["none","login","consent"]`, false},
		"another case":    {`["SELECT_ACCOUNT"]`, false},
		"one string":      {`"none login"`, true},
		"an object":       {`{"login":true}`, true},
		"numbers":         {`[1,2]`, true},
		"partly strings":  {`["login",{"a":1}]`, true},
		"nested too deep": {`[["login"]]`, true},
	} {
		o := newOP(t)
		o.metadata = func(m obj) {
			if c.values != "" {
				m["prompt_values_supported"] = json.RawMessage(c.values)
			}
		}
		p := o.client(nil)
		if got := p.TakesPrompt(t.Context(), "select_account"); got != c.takes {
			t.Errorf("%s: %v, want %v", name, got, c.takes)
		}
		if _, err := p.AuthURL(t.Context(), authRequest()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A provider that cannot be asked is asked for anything; the sign-in says that it is
// down.
func TestTakesPrompt_WithoutMetadata(t *testing.T) {
	o := newOP(t)
	o.metadata = func(m obj) { delete(m, "token_endpoint") }
	if !o.client(nil).TakesPrompt(t.Context(), "select_account") {
		t.Error("a provider without metadata takes no prompt")
	}
}
