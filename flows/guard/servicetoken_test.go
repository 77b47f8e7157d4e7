package guard

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// issuing is a provider that issues tokens for services; password is one that does not.
type issuing struct {
	password
	err error
}

type password struct{}

func (password) Name() string   { return "acme" }
func (password) Title() string  { return "Acme" }
func (password) Issuer() string { return "https://sso.acme.example" }

func (i issuing) ServiceToken(context.Context, []string) (provider.Token, error) {
	return provider.Token{AccessToken: "of the service", TokenType: "Bearer", ExpiresAt: time.Now().Add(time.Hour)}, i.err
}

// The token is the gateway's own, whoever came: a program without a session too.
func TestDecide_AServiceToken(t *testing.T) {
	for name, c := range map[string]struct {
		provider provider.Provider
		want     Outcome
	}{
		"issued":        {issuing{}, Pass},
		"away":          {issuing{err: errors.New("down")}, NoToken},
		"issues none":   {password{}, NoToken},
		"not there now": {nil, NoToken},
	} {
		t.Run(name, func(t *testing.T) {
			g := New(Config{Services: vault.NewServices(time.Now), Providers: map[string]provider.Provider{}})
			if c.provider != nil {
				g.Providers["acme"] = c.provider
			}
			r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
			r.Header.Set("Authorization", "Bearer of the client")
			d := g.DecideAgain(&web.Request{Request: r, Scheme: "https", Host: r.Host}, &Rules{ProviderToken: "acme", Service: true}, &identity.Identity{TokenID: "x"})
			if d.Outcome != c.want || (d.Outcome == Pass) != (d.Token.AccessToken == "of the service") || d.IsAway() != (d.Outcome == NoToken) {
				t.Errorf("%+v", d.Outcome)
			}
		})
	}
}
