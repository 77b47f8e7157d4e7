package flows_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// unverifies is a provider that does not call addresses verified, as Microsoft Entra.
type unverifies struct{ provider.Redirect }

func (p unverifies) Exchange(ctx context.Context, c provider.Callback) (provider.Result, error) {
	result, err := p.Redirect.Exchange(ctx, c)
	result.Claims.EmailVerified = false
	return result, err
}

// TestRefusal_SaysThatTheAddressIsUnverified: who has an address of the right domain and
// is refused learns why (field case A4; oauth2-proxy#1712).
func TestRefusal_SaysThatTheAddressIsUnverified(t *testing.T) {
	const says = "doesn&#39;t say that your e-mail address is verified"
	never := func(identity.Claims) bool { return false }
	_, rp := twoWorldsWrapped(t, worldOptions{admit: never}, func(p provider.Redirect) provider.Provider { return unverifies{p} })
	newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(403, "Outside "+says)

	_, rp = twoWorlds(t, never)
	b := newBrowser(t).get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(403, "allowed in here")
	if strings.Contains(b.body, says) {
		t.Errorf("a verified address is called unverified:\n%s", b.body)
	}
}
