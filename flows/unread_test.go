package flows_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// unclear is a provider whose groups cannot be read.
type unclear struct{ provider.Redirect }

func (u unclear) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	result, err := u.Redirect.Exchange(ctx, c)
	result.Claims.Groups = nil
	result.Claims.SetUnread(identity.ClaimGroups, identity.CauseShape)
	return result, err
}

// A provider's own rules that refuse somebody of whom not all is known say so, to the
// person and to whoever can mend it (oauth2-proxy#838).
func TestUnread_ProvidersOwnRules(t *testing.T) {
	_, rp := twoWorldsWrapped(t, worldOptions{admit: func(c identity.Claims) bool { return !c.MayBeInGroup("contractors") }},
		func(p provider.Redirect) provider.Provider { return unclear{p} })
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusForbidden, "Outside tells us your groups in a way that cannot be read here")
	if logs := rp.logs.String(); !strings.Contains(logs, "groups: shape") {
		t.Errorf("the log does not name the claim:\n%s", logs)
	}
}
