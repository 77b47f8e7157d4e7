package vault_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

func (b *bed) ann() identity.Claims {
	return identity.Claims{Provider: "sso", Issuer: b.op.issuer(), ID: "ann-there", User: "ann@example.com", Groups: []string{"old"}}
}

func tellOf(body string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = w.Write([]byte(body)) }
}

func TestRecheck(t *testing.T) {
	onEachStore(t, func(b *bed) {
		b.op.do(func(o *op) {
			o.info = tellOf(`{"sub":"ann-there","email":"ann@new.example","email_verified":true,"groups":["new"]}`)
		})
		v := b.vault()
		first := b.signIn(v)
		b.same("held", b.used(v), first.AccessToken)
		claims, err := v.Recheck(b.Context(), "ann", "sso", b.ann())
		b.ok(err)
		b.same("user", claims.User, "ann@new.example")
		b.same("groups", claims.Groups, []string{"new"})
		if b.used(v) == first.AccessToken {
			b.Error("the former access token is still used")
		}
		b.same("asked", b.op.asked(), 1)
		// The rotated refresh token was written back.
		b.clock.advance(2 * time.Hour)
		b.fresh(v)
	})
}

// Whatever asks at once, the refresh token is spent by one at a time, and the
// provider, which accepts each once, refuses nobody.
func TestRecheck_BesideRefreshes(t *testing.T) {
	onEachStore(t, func(b *bed) {
		b.op.do(func(o *op) { o.info = tellOf(`{"sub":"ann-there"}`) })
		v, other := b.vault(), b.vault()
		b.signIn(v)
		b.clock.advance(2 * time.Hour)
		var crowd sync.WaitGroup
		for _, node := range []*vault.Vault{v, other} {
			crowd.Go(func() {
				if _, err := node.Recheck(b.Context(), "ann", "sso", b.ann()); err != nil && !errors.Is(err, provider.ErrUnavailable) {
					b.Errorf("Recheck: %v", err)
				}
			})
			for range 8 {
				crowd.Go(func() {
					if _, err := node.Fresh(b.Context(), "ann", "sso", 0); err != nil && !errors.Is(err, provider.ErrUnavailable) {
						b.Errorf("Fresh: %v", err)
					}
				})
			}
		}
		crowd.Wait()
		b.same("needs a sign-in", b.row().NeedsReauth, false)
		b.fresh(v)
	})
}

// The token for which the refresh token was spent is kept although the provider
// did not say who the user is.
func TestRecheck_KeepsTheTokenWhenTheRestFails(t *testing.T) {
	onEachStore(t, func(b *bed) {
		b.op.do(func(o *op) { o.info = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) } })
		v := b.vault()
		b.signIn(v)
		if _, err := v.Recheck(b.Context(), "ann", "sso", b.ann()); !errors.Is(err, provider.ErrUnavailable) {
			b.Fatalf("Recheck: %v", err)
		}
		b.clock.advance(2 * time.Hour)
		b.fresh(v)
	})
}

func TestRecheck_ARefusalIsToldBeforeItIsWritten(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		var told atomic.Int32
		var fail atomic.Bool
		fail.Store(true)
		var asked time.Time
		b.op.do(func(o *op) {
			o.before = func(http.ResponseWriter) bool { asked = b.clock.now(); return false }
		})
		c.Refused = func(_ context.Context, subject, issuer string, since time.Time) error {
			b.same("told of", []string{subject, issuer}, []string{"ann", b.op.issuer()})
			if ago := asked.Sub(since); ago < 0 || ago > 20*time.Second {
				b.Errorf("begun %s before the provider was asked", ago)
			}
			told.Add(1)
			if fail.Load() {
				return errors.New("cannot be done now")
			}
			return nil
		}
		v := b.open(c)
		b.signIn(v)
		b.op.do(func(o *op) { clear(o.live) })
		if _, err := v.Recheck(b.Context(), "ann", "sso", b.ann()); !errors.Is(err, provider.ErrUnavailable) {
			b.Fatalf("when nobody could be told: %v", err)
		}
		b.same("written before it was told", b.row().NeedsReauth, false)
		fail.Store(false)
		b.clock.advance(time.Hour)
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("told", told.Load(), int32(2))
		b.same("written", b.row().NeedsReauth, true)
		if _, err := v.Recheck(b.Context(), "ann", "sso", b.ann()); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Fatalf("afterwards: %v", err)
		}
		b.same("told again", told.Load(), int32(2))
	})
}

func TestRecheck_AnotherUser(t *testing.T) {
	onEachStore(t, func(b *bed) {
		b.op.do(func(o *op) { o.info = tellOf(`{"sub":"bob-there"}`) })
		v := b.vault()
		b.signIn(v)
		_, err := v.Recheck(b.Context(), "ann", "sso", b.ann())
		if err == nil {
			b.Fatal("the claims of another user were taken")
		}
	})
}

// The provider rotated the refresh token, and the new one never reached the row:
// it refuses the former one, and has not ended the sign-in.
func TestRecheck_ALostTokenEndsNothing(t *testing.T) {
	// spoilt is what happens to the answer to a refresh that spends the token.
	spoilt := func(answer func(w http.ResponseWriter)) func(b *bed, first provider.Token) {
		return func(b *bed, first provider.Token) {
			b.op.do(func(o *op) {
				o.before = func(w http.ResponseWriter) bool {
					o.do(func(o *op) { delete(o.live, first.RefreshToken) })
					answer(w)
					return true
				}
			})
			b.refuses(b.vault(), provider.ErrUnavailable)
			b.op.do(func(o *op) { o.before = nil })
			b.clock.advance(time.Minute)
		}
	}
	lost := map[string]func(b *bed, first provider.Token){
		"the connection was reset": spoilt(func(w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}),
		"the answer was cut short": spoilt(func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"access_token":`))
		}),
		"a gateway gave up": spoilt(func(w http.ResponseWriter) { w.WriteHeader(http.StatusGatewayTimeout) }),
		"a proxy lost its connection": spoilt(func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("upstream connect error or disconnect/reset before headers")) // Envoy's words
		}),
		"the provider could not say that it had done it": spoilt(func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"error":"temporarily_unavailable"}`))
		}),
		"the answer was nonsense": spoilt(func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"access_token":7}`)) }),
		"the node died": func(b *bed, first provider.Token) {
			row := b.row()
			_, err := b.store.LeaseProviderToken(b.Context(), row.Subject, row.Provider, row.Version, "the node that dies", 15*time.Second)
			b.ok(err)
			_, err = b.provider("sso", "client").Refresh(b.Context(), first.RefreshToken, nil)
			b.ok(err)
			b.clock.advance(16 * time.Second)
		},
		"the answer came too late": func(b *bed, first provider.Token) {
			late := make(chan struct{})
			b.op.do(func(o *op) {
				delete(o.live, first.RefreshToken)
				o.before = func(http.ResponseWriter) bool { <-late; return false }
			})
			c := b.config()
			c.RefreshTimeout = 300 * time.Millisecond
			v, before := b.open(c), b.op.asked()
			for b.op.asked() == before { // the question may come too late already
				b.refuses(v, provider.ErrUnavailable)
				b.clock.advance(time.Minute)
			}
			b.op.do(func(o *op) { o.before = nil })
			close(late)
			b.clock.advance(time.Minute)
		},
	}
	for name, lose := range lost {
		t.Run(name, func(t *testing.T) {
			onEachStore(t, func(b *bed) {
				c := b.config()
				var told atomic.Int32
				c.Refused = func(context.Context, string, string, time.Time) error { told.Add(1); return nil }
				v := b.open(c)
				first := b.signIn(v)
				b.clock.advance(2 * time.Hour)
				lose(b, first)
				if _, err := v.Recheck(b.Context(), "ann", "sso", b.ann()); !errors.Is(err, vault.ErrNeedsReauth) {
					b.Fatalf("Recheck: %v", err)
				}
				b.same("told", told.Load(), int32(0))
				b.same("marked", b.row().NeedsReauth, true)
				// After the next sign-in there is no doubt any more.
				second := b.signIn(v)
				b.op.do(func(o *op) { delete(o.live, second.RefreshToken) })
				if _, err := v.Recheck(b.Context(), "ann", "sso", b.ann()); !errors.Is(err, vault.ErrNeedsReauth) {
					b.Fatalf("Recheck after a sign-in: %v", err)
				}
				b.same("told of what was refused without doubt", told.Load(), int32(1))
			})
		})
	}
}

// A refresh that certainly did not spend the token leaves no doubt.
func TestRecheck_WhatNeverArrivedLeavesNoDoubt(t *testing.T) {
	for name, fail := range map[string]func(b *bed, v *vault.Vault){
		"nothing listened": func(b *bed, _ *vault.Vault) {
			c := b.config()
			unreachable := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, syscall.ECONNREFUSED
			}}
			p, err := oidc.New(oidc.Config{
				Name: "sso", Issuer: b.op.issuer(), ClientID: "client", ClientSecret: "s3cr3t", Now: b.clock.now,
				HTTPClient: &http.Client{Transport: unreachable}, Logger: c.Logger,
			})
			b.ok(err)
			b.Cleanup(func() { _ = p.Close() })
			c.Sources[0].Provider = p
			b.refuses(b.open(c), provider.ErrUnavailable)
		},
		"too busy": func(b *bed, v *vault.Vault) {
			b.op.do(func(o *op) { o.status = http.StatusTooManyRequests })
			b.refuses(v, provider.ErrUnavailable)
			b.op.do(func(o *op) { o.status = 0 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachStore(t, func(b *bed) {
				c := b.config()
				var told atomic.Int32
				c.Refused = func(context.Context, string, string, time.Time) error { told.Add(1); return nil }
				v := b.open(c)
				first := b.signIn(v)
				b.clock.advance(2 * time.Hour)
				fail(b, v)
				b.clock.advance(time.Minute)
				b.op.do(func(o *op) { delete(o.live, first.RefreshToken) })
				b.refuses(v, vault.ErrNeedsReauth)
				b.same("told", told.Load(), 1)
			})
		})
	}
}
