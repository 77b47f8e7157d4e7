package flows_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// Who floods a client's hashed secret with guesses is told to come back, as is
// whoever shares the address, and not that the client is not good.
func TestBusySecret_IsTriedAgain(t *testing.T) {
	release := make(chan struct{})
	clients := oauthClients()
	clients[0].Secrets = []client.Secret{client.NewHashedSecret("$hash", func(_, _ []byte) (bool, error) {
		<-release
		return false, nil
	})}
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	const guesses = 24
	answers := make(chan answer, guesses)
	for i := range guesses {
		web := app{t, w, "web", fmt.Sprint("guess ", i)}
		go func() { answers <- web.post("token", url.Values{"grant_type": {"client_credentials"}}) }()
	}
	got := <-answers
	if got.status != http.StatusServiceUnavailable || got.text("error") != "temporarily_unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("the first to be answered: %d %v", got.status, got.body)
	}
	close(release)
	for range guesses - 1 {
		if got := <-answers; got.status != http.StatusServiceUnavailable && got.status != http.StatusUnauthorized {
			t.Errorf("%d %v", got.status, got.body)
		}
	}
}
