package guard

import (
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/foreign"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/scope"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Config is what a Guard is made of.
type Config struct {
	Answers  *web.Answers
	Access   *accesstoken.Verifier
	Sessions *session.Manager
	Keyring  *keyring.Keyring
	// Keys that access tokens are signed with. Nil: no token is looked at.
	Keys *token.Keys
	// Foreign verifies tokens of others. Nil: none are taken.
	Foreign *foreign.Verifier
	// Vault keeps the tokens that providers give. Nil: none are passed on.
	Vault *vault.Vault
	// Services has the tokens that providers issue for the gateway itself, and
	// Providers are those providers, by name.
	Services  *vault.Services
	Providers map[string]provider.Provider
	Pages     *page.Renderer
	Logger    *slog.Logger
	Now       func() time.Time
	// Resources of the guarded sites. Optional.
	Resources *resource.Set
	// Scopes that the configuration explains. Optional.
	Scopes scope.Catalog
	// Portal is where people sign in; zero where each site is its own issuer.
	Portal web.Issuer
	// IsSelfRegistered reports whether a client's id is that of one which registered
	// itself. Nil: there are none.
	IsSelfRegistered func(clientID string) bool
	// BodyTimeout limits how long the body of a request that is answered here may take.
	BodyTimeout time.Duration
}

// Guard decides for guarded sites. It is safe for concurrent use.
type Guard struct{ Config }

// New makes a guard.
func New(c Config) *Guard { return &Guard{c} }

func (g *Guard) hasPortal() bool { return g.Portal.Origin != "" }

// ResourceOf returns the path of the named resource that a request to a guarded site is
// of, by any reading of its URI as it was sent, or "".
func (g *Guard) ResourceOf(origin, uri string) string { return g.Resources.Named(origin, uri) }

// issuerOf is where people of a site sign in.
func (g *Guard) issuerOf(r *web.Request) web.Issuer {
	if g.hasPortal() {
		return g.Portal
	}
	return r.SiteIssuer()
}
