package oidc

import (
	"encoding/json"
	"testing"
	"time"
)

// Providers write expires_in as they like, and for that nobody is kept from signing in
// (modelcontextprotocol/typescript-sdk#1120).
func TestLifetimesInAnySpelling(t *testing.T) {
	t.Parallel()
	for spelling, want := range map[string]time.Duration{
		`3600`: time.Hour, `3600.0`: time.Hour, `"3600"`: time.Hour, `3.6e3`: time.Hour,
		`""`: 0, `null`: 0, `"soon"`: 0, `0`: 0, `-1`: 0, `[]`: 0, `99999999999`: 0,
	} {
		t.Run(spelling, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.tokens = func(a obj) { a["expires_in"] = json.RawMessage(spelling) }
			p := o.client(nil)
			got, err := signIn(t.Context(), p)
			if err != nil {
				t.Fatalf("signing in: %v", err)
			}
			fresh, err := p.Refresh(t.Context(), "rt", nil)
			if err != nil {
				t.Fatalf("refreshing: %v", err)
			}
			for _, at := range []time.Time{got.Token.ExpiresAt, fresh.ExpiresAt} {
				if want == 0 && !at.IsZero() || want > 0 && !at.Equal(noon.Add(want)) {
					t.Errorf("the token expires at %v, want %v after %v", at, want, noon)
				}
			}
		})
	}
}
