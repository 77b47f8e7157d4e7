package guard

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// SelfRegistered is what clients that registered themselves may have at a place.
type SelfRegistered struct {
	// Scopes that count there.
	Scopes []string
}

// welcomes reports whether rules let in the kind of client that somebody comes with. Of
// one that registered itself, only the scopes count that the rules list: it may have been
// given others for another place of the same resource, or by an earlier configuration.
func (rules *Rules) welcomes(id *identity.Identity) (*identity.Identity, bool) {
	if !id.SelfRegistered {
		return id, true
	}
	if rules.SelfRegistered == nil {
		return id, false
	}
	mayNot := func(scope string) bool {
		return scope != client.OfflineAccess && !slices.Contains(rules.SelfRegistered.Scopes, scope)
	}
	if !slices.ContainsFunc(id.Scope, mayNot) {
		return id, true
	}
	held := *id
	held.Scope = slices.DeleteFunc(slices.Clone(id.Scope), mayNot)
	return &held, true
}
