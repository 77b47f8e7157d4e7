package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// While a client has two hashed secrets (it is being changed), its requests must
// not wait for a guess either, nor pay for a slow check each time.
func TestMatchesSecret_TwoHashesAndAGuess(t *testing.T) {
	guessing, end := make(chan struct{}), make(chan struct{})
	slow := 0
	compare := func(hash, presented []byte) (bool, error) {
		if string(presented) == "wrong" {
			close(guessing)
			<-end
			return false, nil
		}
		slow++
		return string(hash) == "$"+string(presented), nil
	}
	c := client.Client{Secrets: []client.Secret{client.NewHashedSecret("$new", compare), client.NewHashedSecret("$old", compare)}}
	matches := func(presented string) bool {
		ok, err := c.MatchesSecret(t.Context(), presented, "")
		return ok && err == nil
	}
	for range 10 {
		if !matches("old") || !matches("new") {
			t.Fatal("a right one is refused")
		}
	}
	if slow > 4 {
		t.Errorf("20 requests with right secrets took %d slow checks", slow)
	}
	go func() { _, _ = c.Secrets[1].Matches(context.Background(), "wrong", "") }() // a guess reaches the second secret
	<-guessing
	matched := make(chan bool, 1)
	go func() { matched <- matches("new") }()
	select {
	case <-matched:
	case <-time.After(time.Minute):
		t.Error("the right one waits for a guess")
	}
	close(end)
}
