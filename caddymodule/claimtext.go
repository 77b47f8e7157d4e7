package caddymodule

import (
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// claimText is a further claim as one text: a list with commas between its values, as
// groups are, and an object as JSON. What is not known is "", but for what a provider
// did not repeat, which is shown as it was. For a text it does not allocate.
func claimText(id *identity.Identity, name string) string {
	claim, ok := id.Extra[name]
	if !ok || claim == nil {
		return ""
	}
	if text, ok := claim.(string); ok {
		return text
	}
	if values, known := id.ShownClaim(name); known {
		if _, isList := claim.([]any); isList {
			return groupsValue(values)
		}
		return values[0]
	}
	text, err := json.Marshal(claim)
	if err != nil {
		return ""
	}
	return string(text)
}
