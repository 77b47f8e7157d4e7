package accesstoken

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// A stream that nobody releases is not remembered beyond its token.
func TestWatchToken_ForgetsATokenThatExpired(t *testing.T) {
	now := time.Now()
	g := &Verifier{Config: Config{Now: func() time.Time { return now }}, tokens: newTokens()}
	ended := make(chan int, 1)
	g.Watch(&identity.Identity{TokenID: "soon", TokenExpires: now}, func() {
		g.tokens.deniedMu.Lock()
		defer g.tokens.deniedMu.Unlock()
		ended <- len(g.tokens.watched)
	})
	select {
	case left := <-ended:
		if left != 0 {
			t.Errorf("%d tokens are watched that have expired", left)
		}
	case <-time.After(time.Minute):
		t.Error("the stream goes on")
	}
}
