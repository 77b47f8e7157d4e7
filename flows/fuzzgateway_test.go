package flows

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// fuzzGateway is a portal without a network, for hostile requests.
func fuzzGateway(f *testing.F) *Gateway {
	f.Helper()
	store, err := sqlite.Open(filepath.Join(f.TempDir(), "fuzz.db"), sqlite.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = store.Close() })
	if err := store.Migrate(context.Background()); err != nil {
		f.Fatal(err)
	}
	short := memory.New(memory.Options{Caps: cache.Caps{Owner: -1}})
	f.Cleanup(func() { _ = short.Close() })
	ring, err := keyring.New(rand.Reader, []byte("a secret that only fuzzing knows"))
	if err != nil {
		f.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	sessions, err := session.New(session.Config{Store: store, Cache: short, Keyring: ring, Logger: log})
	if err != nil {
		f.Fatal(err)
	}
	keys := token.NewKeys(token.Config{
		Store: store, Keyring: ring, Logger: log, Now: time.Now, Random: rand.Reader, Algorithms: []string{token.ES256},
	})
	if err := keys.Refresh(context.Background()); err != nil {
		f.Fatal(err)
	}
	pages, err := page.New(page.Options{})
	if err != nil {
		f.Fatal(err)
	}
	users, err := local.New(local.Config{Name: "local", Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	g, err := New(Config{
		Issuer: "http://portal.test", Sites: []string{"http://one.test"}, Providers: []provider.Provider{users},
		Sessions: sessions, Store: store, Cache: short, Keyring: ring, Keys: keys, Pages: pages, Logger: log,
		Now: time.Now, Random: rand.Reader,
		Clients: map[string]*client.Client{
			"web":    {ID: "web", Title: "web", IDTokenAlgorithm: "ES256", AccessTokenAlgorithm: "ES256", Secrets: []client.Secret{client.NewSecret("secret")}, RedirectURIs: []string{"https://web.test/cb"}, Grants: []string{client.GrantCode}},
			"native": {ID: "native", Title: "native", IDTokenAlgorithm: "ES256", AccessTokenAlgorithm: "ES256", Public: true, Grants: []string{client.GrantRefresh, client.GrantCode}},
			"cli":    {ID: "cli", Title: "cli", IDTokenAlgorithm: "ES256", AccessTokenAlgorithm: "ES256", Public: true, Grants: []string{client.GrantDevice}},
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	return g
}
