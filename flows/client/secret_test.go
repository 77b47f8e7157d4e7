package client_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// Who guesses at a hashed secret, which is slow to check, holds up nobody who has
// proven to know it.
func TestSecret_GuessesHoldUpNobody(t *testing.T) {
	guessing, end := make(chan struct{}), make(chan struct{})
	secret := client.NewHashedSecret("$hash", func(_, presented []byte) (bool, error) {
		if string(presented) == "wrong" {
			close(guessing)
			<-end
		}
		return string(presented) == "right", nil
	})
	matches := func(presented string) bool {
		ok, err := secret.Matches(t.Context(), presented, "")
		return ok && err == nil
	}
	if !matches("right") {
		t.Fatal("the right one is refused")
	}
	guessed := make(chan bool)
	go func() { guessed <- matches("wrong") }()
	<-guessing
	matched := make(chan bool, 1)
	go func() { matched <- matches("right") }()
	select {
	case ok := <-matched:
		if !ok {
			t.Error("the right one is refused")
		}
	case <-time.After(time.Minute):
		t.Error("the right one waits for a guess")
	}
	close(end)
	if <-guessed {
		t.Error("a wrong one matches")
	}
}
