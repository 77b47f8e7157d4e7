package flows_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// finishing notes what becomes of the outbox's entries: tried again after so long,
// or removed.
type finishing struct {
	tokenstore.Store
	again chan time.Duration
}

func (f finishing) FinishOutbox(ctx context.Context, id uuid.UUID, again time.Duration) error {
	err := f.Store.FinishOutbox(ctx, id, again)
	f.again <- again
	return err
}

// While nodes change over to a new configuration, one of them may take a client's
// logout out of the outbox that does not know the client, or cannot open the entry.
// It leaves that to the others.
func TestBackchannel_ANodeThatCannotTellLeavesItToOthers(t *testing.T) {
	told := make(chan struct{}, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(receiver.Close)
	clients := oauthClients()
	clients[0].BackchannelLogoutURI = receiver.URL
	again := make(chan time.Duration, 10)
	w := newWorld(t, worldOptions{portal: true, clients: clients, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return finishing{s, again}, c
	}})
	w.tokens(w.signedInBrowser(), set("scope", "openid"))
	if err := w.gateway.EndSession(t.Context(), w.sessionOf("web").ID); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(c *flows.Config)
		kept   bool
	}{
		{"without the client", func(c *flows.Config) { c.Clients = map[string]*client.Client{"cli": c.Clients["cli"]} }, true},
		{"where the client is told nothing", func(c *flows.Config) {
			silent := *c.Clients["web"]
			silent.BackchannelLogoutURI = ""
			c.Clients = map[string]*client.Client{"web": &silent}
		}, true},
		{"without the secret", func(c *flows.Config) {
			keys, err := keyring.New(rand.Reader, []byte("a new secret that is the only one"))
			if err != nil {
				t.Fatal(err)
			}
			c.Keyring = keys
		}, true},
		{"that has both", func(*flows.Config) {}, false},
	} {
		config := w.gateway.Config
		tt.change(&config)
		node, err := flows.New(config)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); node.Run(ctx) }()
		select {
		case pause := <-again:
			if (pause > 0) != tt.kept {
				t.Errorf("a node %s tries again after %v", tt.name, pause)
			}
		case <-time.After(time.Minute):
			t.Errorf("a node %s has not taken the entry", tt.name)
		}
		cancel()
		<-done
		w.clock.advance(5 * time.Minute)
	}
	if len(told) != 1 {
		t.Errorf("the client was told %d times", len(told))
	}
}
