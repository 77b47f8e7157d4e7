package flows

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// keptClaims are the further claims of a user that a client is told with a scope. One
// that is not known is not said.
func keptClaims(c *client.Client, claims *identity.Claims, scope []string) map[string]any {
	if c == nil {
		return nil
	}
	var kept map[string]any
	for _, claim := range c.Claims {
		value, ok := claims.Extra[claim.Name]
		if !ok || claims.IsUnread(identity.KeptClaim(claim.Name)) || claim.Scope != "" && !slices.Contains(scope, claim.Scope) {
			continue
		}
		if kept == nil {
			kept = make(map[string]any, len(c.Claims))
		}
		kept[claim.Name] = value
	}
	return kept
}

// withKept adds to a token's claims the further ones that its client is told.
func withKept(own any, of *grantee) any {
	kept := keptClaims(of.client, &of.claims, of.scope)
	if len(kept) == 0 {
		return own
	}
	return with{own, kept}
}

// with adds claims to those of a token or an answer of ours, none of which they
// replace.
type with struct {
	own  any
	kept map[string]any
}

// MarshalJSON implements [json.Marshaler].
func (w with) MarshalJSON() ([]byte, error) {
	own, err := json.Marshal(w.own)
	if err != nil || len(w.kept) == 0 {
		return own, err
	}
	all := make(map[string]any, len(w.kept)+16)
	maps.Copy(all, w.kept)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(own, &members); err != nil {
		return nil, err
	}
	for name, raw := range members {
		all[name] = raw
	}
	return json.Marshal(all)
}
