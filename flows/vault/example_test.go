package vault_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// acme is an outside provider. Package oidc is one for real.
type acme struct{ refreshed int }

func (*acme) Name() string   { return "acme" }
func (*acme) Title() string  { return "Acme" }
func (*acme) Issuer() string { return "https://sso.acme.example" }

func (a *acme) Refresh(context.Context, string, []string) (provider.Token, error) {
	a.refreshed++
	return provider.Token{
		AccessToken: fmt.Sprint("access ", a.refreshed), RefreshToken: fmt.Sprint("refresh ", a.refreshed),
		TokenType: "Bearer", ExpiresAt: time.Now().Add(time.Hour),
	}, nil
}

func (*acme) Revoke(context.Context, string, string) error { return nil }

// The tokens that a provider issued for people, in a program of one's own: sealed at
// rest, and fresh whenever one is needed.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	store, err := sqlite.Open(filepath.Join(folder, "tokens.db"), sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if err := store.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	keys, err := keyring.New(nil, []byte("a secret of at least 16 bytes"))
	if err != nil {
		log.Fatal(err)
	}
	v, err := vault.New(vault.Config{
		Store: store, Keyring: keys, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Sources: []vault.Source{{Provider: new(acme), ClientID: "ours"}},
	})
	if err != nil {
		log.Fatal(err)
	}

	// At the sign-in, some time ago: the access token has expired.
	_, err = v.Put(ctx, "alice", "acme", provider.Token{
		AccessToken: "access 0", RefreshToken: "refresh 0", TokenType: "Bearer", ExpiresAt: time.Now().Add(-time.Second),
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		token, err := v.Fresh(ctx, "alice", "acme", time.Minute)
		fmt.Println(token.AccessToken, err)
	}
	removed, err := v.RemoveSubject(ctx, "alice")
	fmt.Println("removed:", len(removed), err)
	// Output:
	// access 1 <nil>
	// access 1 <nil>
	// removed: 1 <nil>
}
