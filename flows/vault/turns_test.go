package vault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// However many tokens for less clients ask for, the row's own is refreshed next, and the
// provider is not asked for all of them at once.
func TestObtain_LeavesTheRowsOwnItsTurn(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.narrowing()
		b.signIn(v)
		b.clock.advance(2 * time.Hour)
		reached, released := make(chan struct{}, 100), make(chan struct{})
		b.op.do(func(o *op) {
			o.forOne = everything
			o.before = func(http.ResponseWriter) bool {
				reached <- struct{}{}
				<-released
				return false
			}
		})
		var wg sync.WaitGroup
		var mu sync.Mutex
		served, refused := 0, 0
		for i := range 20 {
			wg.Go(func() {
				_, err := v.Obtain(b.Context(), "ann", "sso", vault.Want{Resource: fmt.Sprintf("https://api-%d.example", i)})
				mu.Lock()
				defer mu.Unlock()
				var away *vault.UnavailableError
				switch {
				case err == nil:
					served++
				case errors.As(err, &away) && away.RetryAfter > 0:
					refused++
				default:
					b.Error(err)
				}
			})
		}
		<-reached // the first, and the others wait
		b.until("the others wait, or are refused", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return v.Waiting("ann", b.op.issuer()) == vault.MaxWaiting && refused == 20-1-vault.MaxWaiting
		})
		own := make(chan error, 1)
		go func() { _, err := v.Fresh(b.Context(), "ann", "sso", 0); own <- err }()
		b.until("the row's own is wanted", func() bool { return v.Own("ann", b.op.issuer()) == 1 })
		close(released)
		b.ok(<-own)
		wg.Wait()
		b.op.do(func(o *op) {
			// Between two tries for the lease another one may slip in.
			if at := slices.Index(o.resources, ""); at < 1 || at > 2 {
				b.Errorf("the row's own is number %d of %d", at+1, len(o.resources))
			}
		})
		if served != vault.MaxWaiting+1 || refused != 20-served {
			b.Errorf("%d were served, and %d refused", served, refused)
		}
		b.same("what is left of the turns", v.Turns(), 0)
	})
}

// until waits for a condition.
func (b *bed) until(what string, is func() bool) {
	b.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(end) {
			b.Fatalf("never: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// Tokens that are together too long for the row are given out, never an empty one, and
// the first make room.
func TestObtain_TooLongToBeKept(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.narrowing()
		b.signIn(v)
		long := strings.Repeat("y", 64<<10) // the longest that is accepted of a provider
		b.op.do(func(o *op) {
			o.forOne = everything
			o.after = func(answer map[string]any) { answer["access_token"] = long }
		})
		for i := range 16 {
			if got := b.obtain(v, fmt.Sprintf("https://api-%d.example", i)); got.AccessToken != long {
				b.Errorf("number %d is of %d bytes", i, len(got.AccessToken))
			}
		}
		asked := b.op.asked()
		b.obtain(v, "https://api-15.example")
		b.same("asked for the last again", b.op.asked(), asked)
	})
}

// A client that chooses what the provider fails at leaves nobody's row in doubt: the
// sessions of somebody whose grant ends then do end.
func TestObtain_AFailureLeavesNoDoubt(t *testing.T) {
	onEachStore(t, func(b *bed) {
		told := 0
		c := b.config()
		c.Sources[0].Narrow = true
		c.Refused = func(context.Context, string, string, time.Time) error { told++; return nil }
		v := b.open(c)
		b.signIn(v)
		b.op.do(func(o *op) { o.less = &refusal{500, ""} })
		b.wants(v, vault.Want{Resource: api}, provider.ErrUnavailable)
		b.same("in doubt", b.row().LeaseOwner, "")
		b.op.do(func(o *op) { clear(o.live) })
		b.clock.advance(2 * time.Hour)
		if _, err := v.Fresh(b.Context(), "ann", "sso", 0); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("the grant has ended: %v", err)
		}
		b.same("sessions that end", told, 1)

		// Where the failed request has spent the token, the row is in doubt.
		b.signIn(v)
		b.op.do(func(o *op) {
			o.before = func(http.ResponseWriter) bool {
				b.op.do(func(o *op) { clear(o.live) })
				return false
			}
		})
		b.wants(v, vault.Want{Resource: api + "/2"}, vault.ErrNeedsReauth)
		b.same("sessions that end", told, 1)
	})
}
