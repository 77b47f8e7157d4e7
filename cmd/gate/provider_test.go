package main

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// keepsTokens has the issuer keep alice's token of GitHub.
func (w *world) keepsTokens() {
	w.t.Helper()
	hub, err := github.New(github.Config{
		Name: "github", ClientID: "app", ClientSecret: "secret", Now: w.clock.now, HTTPClient: &http.Client{Transport: &http.Transport{}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	config := w.gateway.Config
	config.Providers = append(config.Providers, hub)
	config.Vault, err = vault.New(vault.Config{
		Store: config.Store, Keyring: config.Keyring, Now: config.Now, Logger: slog.New(slog.DiscardHandler),
		Sources: []vault.Source{{Provider: hub}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.gateway, err = flows.New(config); err != nil {
		w.t.Fatal(err)
	}
}

// linked gives alice a token, as a sign-in at GitHub would.
func (w *world) linked() {
	w.t.Helper()
	s, err := w.gateway.Store.FindSubject(w.t.Context(), tokenstore.Identity{Issuer: "local", Subject: "alice"})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.gateway.Vault.Put(w.t.Context(), s.ID, "github", provider.Token{AccessToken: "gho_alice", TokenType: "Bearer", Scope: "repo"}); err != nil {
		w.t.Fatal(err)
	}
}

func TestGate_TokenOfAProvider(t *testing.T) {
	gate := gateClient()
	gate.MayExchange = []string{"github"}
	other := gateClient()
	other.ID = "other"
	w := newWorld(t, gate, other)
	w.keepsTokens()
	site := w.siteURL("one")
	w.login(site)
	w.gate("token", "--provider", "github").want(exitSignIn, "this login was not allowed your access at github", "gate login --provider github "+site)
	w.gate("login", "--browser", "--provider", "gitlab", site).want(exitRefused, "gives out no tokens of gitlab", "gate_client { may_exchange gitlab }")

	w.gate("login", "--browser", "--provider", "github", site).want(exitDone)
	w.gate("token", "--provider", "github").want(exitSignIn, "no access at github in your name")
	w.linked()
	if got := w.gate("token", "--provider", "github").want(exitDone); got.stdout != "gho_alice\n" || got.stderr != "" {
		t.Errorf("printed is %q %q", got.stdout, got.stderr)
	}
	if got := w.gate("token", "--provider", "github", "--for", site).want(exitDone); got.stdout != "gho_alice\n" {
		t.Errorf("printed for the site is %q", got.stdout)
	}
	w.gate("token", "--provider", "gitlab").want(exitRefused, "gives out no tokens of gitlab")

	w.gate("login", "--browser", "--client", "other", site).want(exitDone)
	got := w.gate("token", "--provider", "github").want(exitRefused, "in the block of client other: may_exchange github")
	if strings.Contains(got.stderr, "gho_") {
		t.Errorf("a secret is shown: %s", got.stderr)
	}
}
