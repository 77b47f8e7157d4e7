package session_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// Refresh tokens that rotate, in a program of one's own: within the grace, whoever
// repeats a refresh gets the same successor; later it is a thief, and the whole family
// of tokens ends.
func ExampleManager_Rotate() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	var passed time.Duration
	store, err := sqlite.Open(filepath.Join(folder, "sessions.db"), sqlite.Options{Now: func() time.Time { return time.Now().Add(passed) }})
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
	sessions, err := session.New(session.Config{Store: store, Cache: memory.New(memory.Options{}), Keyring: keys})
	if err != nil {
		log.Fatal(err)
	}
	const issuer = "https://auth.example.com"

	started, err := sessions.SignIn(ctx, session.Start{
		ClientID: "cli", Claims: identity.Claims{Provider: "staff", Issuer: "https://sso.example.com", ID: "1", User: "alice", AuthTime: time.Now()},
	})
	if err != nil {
		log.Fatal(err)
	}
	first := handle.MintRefresh(keys, issuer, handle.Handle{ID: started.Session.ID, Secret: started.Secret})

	refresh := func(token string) (string, error) {
		h, err := handle.ParseRefresh(keys, issuer, token)
		if err != nil {
			return "", err // not ours: no store was asked
		}
		r, err := sessions.Rotate(ctx, tokenstore.Rotation{
			ID: h.ID, Generation: h.Generation, SecretHash: h.SecretHash(), ClientID: "cli", Grace: 30 * time.Second,
		})
		if err != nil {
			return "", err
		}
		return handle.MintRefresh(keys, issuer, handle.Handle{ID: h.ID, Secret: h.Secret, Generation: r.Session.Generation}), nil
	}
	second, err := refresh(first)
	fmt.Println("rotated:", err == nil && second != first)
	again, err := refresh(first)
	fmt.Println("repeated:", err == nil && again == second)
	passed = time.Minute
	_, err = refresh(first)
	fmt.Println("a minute later:", err)
	_, err = refresh(second)
	fmt.Println("its family:", err)
	// Output:
	// rotated: true
	// repeated: true
	// a minute later: rotating refresh token: refresh token reused
	// its family: rotating refresh token: revoked
}
