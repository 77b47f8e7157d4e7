package flows

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

const (
	// maxIDTokens bounds the ID tokens that are held, of at most 4 KiB.
	maxIDTokens = 5_000
	// idTokenLeft is what an ID token that is passed on has left at least, and
	// idTokenAhead by how much a new one is had before somebody would wait for it.
	idTokenLeft  = 10 * time.Second
	idTokenAhead = time.Minute
	// idTokenPause is how long nobody tries again where there was none now, and
	// idTokenNever where the provider's answers have none, or it refuses.
	idTokenPause = time.Minute
	idTokenNever = time.Hour
	// idTokenWait is how long a request waits for one.
	idTokenWait = 5 * time.Second
)

// idTokens are the providers' ID tokens of sign-ins that were asked for here.
type idTokens struct {
	mu      sync.RWMutex
	held    map[uuid.UUID]heldIDToken // by sign-in
	flights singleflight.Group
}

// heldIDToken is one, or that there is none.
type heldIDToken struct {
	token string
	// until is when it is of no use any more, and again when another is to be had.
	until, again time.Time
}

// IDToken is the ID token that the provider issued for somebody's sign-in, to be passed
// on to an application, or "" where there is none that is valid: the person signed in by
// a password, the token was too long to be kept, or it has expired and the provider's
// tokens are not kept (store_tokens), or their refreshing brings none. One that was asked
// for before costs no I/O; another is had in the background before it expires. It is a
// secret.
func (g *Gateway) IDToken(ctx context.Context, id *identity.Identity) string {
	signIn := id.SessionID
	if id.Portal != uuid.Nil {
		signIn = id.Portal
	}
	if signIn == uuid.Nil {
		return ""
	}
	now := g.Now()
	h, known := g.idTokens.get(signIn)
	usable := known && now.Before(h.until)
	if known && now.Before(h.again) {
		if usable {
			return h.token
		}
		return ""
	}
	flight := g.idTokens.flights.DoChan(signIn.String(), func() (any, error) {
		// Others wait for it, though this client may hang up.
		return g.findIDToken(context.WithoutCancel(ctx), signIn, id, !known), nil
	})
	if usable {
		return h.token
	}
	timeout := time.NewTimer(idTokenWait)
	defer timeout.Stop()
	select {
	case r := <-flight:
		return r.Val.(string) //nolint:forcetypeassert // findIDToken's own
	case <-ctx.Done():
	case <-timeout.C:
	}
	return ""
}

// findIDToken takes the one that was kept at the sign-in, if that is to be looked at, or
// has the provider issue another.
func (g *Gateway) findIDToken(ctx context.Context, signIn uuid.UUID, id *identity.Identity, kept bool) string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	h, pause := heldIDToken{}, idTokenPause
	original, err := g.Sessions.IDToken(ctx, id.SessionID)
	if err != nil {
		g.Logger.WarnContext(ctx, "the provider's ID token cannot be read now, and the application is not told it", "user", id.User, "error", err)
	}
	if kept {
		h = g.holding(original)
	}
	if now := g.Now(); !now.Before(h.again) && g.Vault != nil && g.Vault.Rechecks(id.Issuer) {
		token, err := g.Vault.IDToken(ctx, id.Subject, id.Issuer, id.Claims)
		if err != nil {
			g.Logger.InfoContext(ctx, "no new ID token of the provider", "provider", id.Provider, "user", id.User, "error", err)
		}
		if err == nil && token == "" || errors.Is(err, vault.ErrNeedsReauth) {
			pause = idTokenNever
		}
		if renewed := g.holding(token); renewed.token != "" && !isOfSignIn(token, original, &id.Claims) {
			g.Logger.InfoContext(ctx, "the provider's new ID token is of another sign-in, and the application is not told it", "provider", id.Provider, "user", id.User)
			pause = idTokenNever
		} else if renewed.token != "" {
			h = renewed
		}
	}
	now := g.Now()
	if h.token == "" {
		h, _ = g.idTokens.get(signIn) // which may be good for a while
		h.again = now.Add(pause)
	}
	g.idTokens.put(signIn, h, now)
	if !now.Before(h.until) {
		return ""
	}
	return h.token
}

// holding says how long an ID token is of use. It was verified when it was issued; of
// what is none, nothing is passed on.
func (g *Gateway) holding(token string) heldIDToken {
	var claims jwt.RegisteredClaims
	if token == "" {
		return heldIDToken{}
	}
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil || claims.ExpiresAt == nil {
		return heldIDToken{}
	}
	until := claims.ExpiresAt.Add(-idTokenLeft)
	if !g.Now().Before(until) {
		return heldIDToken{}
	}
	return heldIDToken{token: token, until: until, again: until.Add(-min(idTokenAhead, until.Sub(g.Now())/2))}
}

func (t *idTokens) get(signIn uuid.UUID) (heldIDToken, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	h, ok := t.held[signIn]
	return h, ok
}

func (t *idTokens) put(signIn uuid.UUID, h heldIDToken, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = make(map[uuid.UUID]heldIDToken)
	}
	if len(t.held) >= maxIDTokens {
		for id, was := range t.held {
			if !now.Before(was.again) || len(t.held) > maxIDTokens*95/100 {
				delete(t.held, id)
			}
		}
	}
	t.held[signIn] = h
}
