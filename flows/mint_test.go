package flows

import (
	"encoding/json"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// TestUserClaims_Groups: a client is told no groups where there are none, and not
// where they could not be read.
func TestUserClaims_Groups(t *testing.T) {
	t.Parallel()
	unread := identity.Claims{}
	unread.SetUnread(identity.ClaimGroups, identity.CauseShape)
	for _, tt := range []struct {
		claims identity.Claims
		scope  []string
		want   string
	}{
		{identity.Claims{}, []string{"openid", "groups"}, `{"groups":[]}`},
		{identity.Claims{Groups: []string{"staff"}}, []string{"openid", "groups"}, `{"groups":["staff"]}`},
		{identity.Claims{Groups: []string{"staff"}}, []string{"openid"}, `{}`},
		{unread, []string{"openid", "groups"}, `{"hasgroups":true}`},
		{unread, []string{"openid"}, `{}`},
	} {
		got, err := json.Marshal(userClaimsOf(&tt.claims, tt.scope))
		if err != nil || string(got) != tt.want {
			t.Errorf("%+v with %v: %s, %v, want %s", tt.claims, tt.scope, got, err, tt.want)
		}
	}
}
