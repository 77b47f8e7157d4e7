package flows

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// defaultRecheck is the least time between two questions to a provider
	// about one of its users.
	defaultRecheck = time.Hour
	// recheckUsed is how lately a session must have been used here for its
	// provider to be asked.
	recheckUsed = 5 * time.Minute
	// recheckAtOnce bounds the questions at a time.
	recheckAtOnce = 8
)

// recheckKey is whom a provider is asked about.
type recheckKey struct{ subject, issuer string }

// recheck is when that is to be done.
type recheck struct {
	due time.Time
	// seen tells that due is when the access token expires.
	seen bool
	// ticket tells that this node is the one to ask, of all that share the
	// cache, until the provider has answered.
	ticket   bool
	failures int
}

// recheckForEver asks providers again about the people whose sessions are used
// or refreshed at this node, when the provider's access token has expired, and at most hourly
// on all nodes together. It never happens while a request waits. A provider that
// does not answer changes nothing.
func (g *Gateway) recheckForEver(ctx context.Context) {
	pace := min(max(g.Recheck/120, 50*time.Millisecond), 30*time.Second)
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	known := make(map[recheckKey]*recheck)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.recheckRound(ctx, known)
		}
	}
}

// recheckRound asks about all who are due.
func (g *Gateway) recheckRound(ctx context.Context, known map[recheckKey]*recheck) {
	used := make(map[recheckKey]*identity.Identity)
	for _, id := range append(g.refreshers.since(g.Now().Add(-recheckUsed)), g.Sessions.Used(recheckUsed)...) {
		if g.Vault.Rechecks(id.Issuer) {
			used[recheckKey{id.Subject, id.Issuer}] = id
		}
	}
	for key, rc := range known {
		if used[key] == nil && !rc.ticket {
			delete(known, key)
		}
	}
	var asking errgroup.Group
	asking.SetLimit(recheckAtOnce)
	now := g.Now()
	for key, id := range used {
		rc := known[key]
		if rc == nil {
			rc = new(recheck)
			known[key] = rc
		}
		if now.Before(rc.due) || ctx.Err() != nil {
			continue
		}
		asking.Go(func() error {
			g.recheckOne(ctx, key, id, rc)
			return nil
		})
	}
	_ = asking.Wait()
}

func (g *Gateway) recheckOne(ctx context.Context, key recheckKey, id *identity.Identity, rc *recheck) {
	if !rc.ticket && !g.takeRecheck(ctx, key, rc) {
		return
	}
	claims, err := g.Vault.Recheck(ctx, key.subject, key.issuer, id.Claims)
	if err == nil {
		err = g.reclaim(ctx, key, id, claims)
	}
	now := g.Now()
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		*rc = recheck{due: now.Add(g.Recheck)}
	case errors.Is(err, vault.ErrNeedsReauth), errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, vault.ErrProvider):
		*rc = recheck{due: now.Add(g.Recheck)} // there is nothing to ask with
	default:
		rc.due = now.Add(g.Recheck / 60 << min(rc.failures, 3))
		rc.failures++
		g.Logger.InfoContext(ctx, "a provider could not be asked about a user; all stays as it is until it can",
			"provider", id.Provider, "user", id.User, "error", err)
	}
}

// takeRecheck reports whether this node is to ask now. Else it says when to look
// again.
func (g *Gateway) takeRecheck(ctx context.Context, key recheckKey, rc *recheck) bool {
	now := g.Now()
	if !rc.seen {
		expiry, err := g.Vault.Expiry(ctx, key.subject, key.issuer)
		switch {
		case errors.Is(err, tokenstore.ErrUnavailable):
			rc.due = now.Add(g.Recheck / 60)
			return false
		case err != nil:
			rc.due = now.Add(g.Recheck)
			return false
		case expiry.IsZero():
			rc.due, rc.seen = now.Add(g.Recheck), true
			return false
		case now.Before(expiry):
			rc.due, rc.seen = expiry, true
			return false
		}
	}
	name := "recheck:" + encode(g.Keyring.MAC("recheck", []byte(key.subject), []byte(key.issuer))[:18])
	first, err := g.Cache.Once(ctx, name, g.Recheck)
	switch {
	case err != nil:
		rc.due = now.Add(g.Recheck / 60)
		return false
	case !first:
		rc.due, rc.seen = now.Add(g.Recheck/6), true // another node asked within the hour
		return false
	}
	rc.ticket = true
	return true
}

// reclaim applies what a provider says of its user now. Whom the rules do not
// let in any more is out.
func (g *Gateway) reclaim(ctx context.Context, key recheckKey, id *identity.Identity, now identity.Claims) error {
	if !g.Admit(now) {
		g.logRuledOut(ctx, "no longer allowed, by what the provider says of the user now", id.ClientID, &identity.Identity{Claims: now})
		return g.endAtProvider(ctx, key, id.Provider, "not_allowed", time.Time{})
	}
	g.keepGroups(ctx, &now)
	changed, err := g.Sessions.Reclaim(ctx, key.subject, now)
	if changed > 0 {
		g.Logger.InfoContext(ctx, "the provider has other claims of a user now", "provider", id.Provider, "user", id.User,
			"new_user", now.User, "sessions", changed)
	}
	return err
}

// providerRefusedToken ends the sessions that came from a provider's sign-in which
// has ended there: it refused the refresh token for good. Who signed in after it
// was asked has another token.
func (g *Gateway) providerRefusedToken(ctx context.Context, subject, issuer string, asked time.Time) error {
	name := issuer
	for _, p := range g.Providers {
		if p.Issuer() == issuer {
			name = p.Name()
		}
	}
	return g.endAtProvider(ctx, recheckKey{subject, issuer}, name, "refused", asked)
}

// endAtProvider ends a subject's sessions that came from a provider, with a time
// only those that began before.
func (g *Gateway) endAtProvider(ctx context.Context, key recheckKey, name, reason string, before time.Time) error {
	ended, err := g.endProviderSessions(ctx, key.subject, key.issuer, before)
	if ended > 0 {
		g.Logger.InfoContext(ctx, "sign-in has ended at the provider", "provider", name, "subject", key.subject, "sessions", ended, "reason", reason,
			"cure", "the person signs in again; if that is refused, the provider's own log says why")
		g.Events(ctx, "logout", slog.String("provider", name), slog.String("reason", "provider_"+reason))
	}
	return err
}
