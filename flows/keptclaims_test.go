package flows

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// TestKeptClaims: a client is told the claims that its block names, with their scope,
// and none takes the place of one of ours.
func TestKeptClaims(t *testing.T) {
	t.Parallel()
	c := &client.Client{Claims: []client.Claim{{Name: "department"}, {Name: "office", Scope: "hr"}, {Name: "sub"}, {Name: "size"}, {Name: "missing"}}}
	who := identity.Claims{Extra: map[string]any{"department": "physics", "office": []any{"B1"}, "sub": "somebody else", "size": "x", "other": "y"}}
	who.SetUnread(identity.KeptClaim("size"), identity.CauseSize)
	for _, tt := range []struct {
		scope []string
		want  map[string]any
	}{
		{[]string{"openid"}, map[string]any{"sub": "s1", "department": "physics"}},
		{[]string{"openid", "hr"}, map[string]any{"sub": "s1", "department": "physics", "office": []any{"B1"}}},
	} {
		raw, err := json.Marshal(with{userinfo{Subject: "s1"}, keptClaims(c, &who, tt.scope)})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("with %v: %s", tt.scope, diff)
		}
	}
	if keptClaims(nil, &who, nil) != nil {
		t.Error("a client that is gone is told something")
	}
}
