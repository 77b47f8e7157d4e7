// Package recheck asks providers again about the people whose sessions are used: whom
// they, or the rules, do not let in any more is signed out.
package recheck

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/signout"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// DefaultInterval is the least time between two questions to a provider
	// about one of its users.
	DefaultInterval = time.Hour
	// lately is how lately a session must have been used here for its
	// provider to be asked.
	lately = 5 * time.Minute
	// atOnce bounds the questions at a time.
	atOnce = 8
)

// Config is what a Worker is made of.
type Config struct {
	// Interval is the least time between two questions about one person. Default:
	// [DefaultInterval].
	Interval  time.Duration
	Providers []provider.Provider
	Vault     *vault.Vault
	Sessions  *session.Manager
	SignOuts  *signout.Manager
	Cache     cache.Store
	Keyring   *keyring.Keyring
	Logger    *slog.Logger
	Now       func() time.Time
	// Admit reports whether somebody may still sign in at all, and LogRuledOut says who
	// may not.
	Admit       func(identity.Claims) bool
	LogRuledOut func(ctx context.Context, message, clientID string, id *identity.Identity)
	// KeepGroups leaves out of claims the groups that are not kept.
	KeepGroups func(context.Context, *identity.Claims)
	// Events is told of sign-outs.
	Events func(ctx context.Context, name string, attrs ...slog.Attr)
}

// Worker asks providers about the people whose sessions are used at this node. It is
// safe for concurrent use.
type Worker struct {
	Config
	refreshers refreshers
}

// New makes a worker.
func New(c Config) *Worker {
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	return &Worker{Config: c}
}

// person is whom a provider is asked about.
type person struct{ subject, issuer string }

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

// Run asks providers again about the people whose sessions are used
// or refreshed at this node, when the provider's access token has expired, and at most hourly
// on all nodes together. It never happens while a request waits. A provider that
// does not answer changes nothing.
func (w *Worker) Run(ctx context.Context) {
	pace := min(max(w.Interval/120, 50*time.Millisecond), 30*time.Second)
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	known := make(map[person]*recheck)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.round(ctx, known)
		}
	}
}

// round asks about all who are due.
func (w *Worker) round(ctx context.Context, known map[person]*recheck) {
	used := make(map[person]*identity.Identity)
	for _, id := range append(w.refreshers.since(w.Now().Add(-lately)), w.Sessions.Used(lately)...) {
		if w.Vault.Rechecks(id.Issuer) {
			used[person{id.Subject, id.Issuer}] = id
		}
	}
	for key, rc := range known {
		if used[key] == nil && !rc.ticket {
			delete(known, key)
		}
	}
	var asking errgroup.Group
	asking.SetLimit(atOnce)
	now := w.Now()
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
			w.ask(ctx, key, id, rc)
			return nil
		})
	}
	_ = asking.Wait()
}

func (w *Worker) ask(ctx context.Context, key person, id *identity.Identity, rc *recheck) {
	if !rc.ticket && !w.take(ctx, key, rc) {
		return
	}
	claims, err := w.Vault.Recheck(ctx, key.subject, key.issuer, id.Claims)
	if err == nil {
		err = w.reclaim(ctx, key, id, claims)
	}
	now := w.Now()
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		*rc = recheck{due: now.Add(w.Interval)}
	case errors.Is(err, vault.ErrNeedsReauth), errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, vault.ErrProvider):
		*rc = recheck{due: now.Add(w.Interval)} // there is nothing to ask with
	default:
		rc.due = now.Add(w.Interval / 60 << min(rc.failures, 3))
		rc.failures++
		w.Logger.InfoContext(ctx, "a provider could not be asked about a user; all stays as it is until it can",
			"provider", id.Provider, "user", id.User, "error", err)
	}
}

// take reports whether this node is to ask now. Else it says when to look
// again.
func (w *Worker) take(ctx context.Context, key person, rc *recheck) bool {
	now := w.Now()
	if !rc.seen {
		expiry, err := w.Vault.Expiry(ctx, key.subject, key.issuer)
		switch {
		case errors.Is(err, tokenstore.ErrUnavailable):
			rc.due = now.Add(w.Interval / 60)
			return false
		case err != nil:
			rc.due = now.Add(w.Interval)
			return false
		case expiry.IsZero():
			rc.due, rc.seen = now.Add(w.Interval), true
			return false
		case now.Before(expiry):
			rc.due, rc.seen = expiry, true
			return false
		}
	}
	name := "recheck:" + base64.RawURLEncoding.EncodeToString(w.Keyring.MAC("recheck", []byte(key.subject), []byte(key.issuer))[:18])
	first, err := w.Cache.Once(ctx, name, w.Interval)
	switch {
	case err != nil:
		rc.due = now.Add(w.Interval / 60)
		return false
	case !first:
		rc.due, rc.seen = now.Add(w.Interval/6), true // another node asked within the hour
		return false
	}
	rc.ticket = true
	return true
}

// reclaim applies what a provider says of its user now. Whom the rules do not
// let in any more is out.
func (w *Worker) reclaim(ctx context.Context, key person, id *identity.Identity, now identity.Claims) error {
	if !w.Admit(now) {
		w.LogRuledOut(ctx, "no longer allowed, by what the provider says of the user now", id.ClientID, &identity.Identity{Claims: now})
		return w.endAtProvider(ctx, key, id.Provider, "not_allowed", time.Time{})
	}
	w.KeepGroups(ctx, &now)
	changed, err := w.Sessions.Reclaim(ctx, key.subject, now)
	if changed > 0 {
		w.Logger.InfoContext(ctx, "the provider has other claims of a user now", "provider", id.Provider, "user", id.User,
			"new_user", now.User, "sessions", changed)
	}
	return err
}

// Refused ends the sessions that came from a provider's sign-in which
// has ended there: it refused the refresh token for good. Who signed in after it
// was asked has another token.
func (w *Worker) Refused(ctx context.Context, subject, issuer string, asked time.Time) error {
	name := issuer
	for _, p := range w.Providers {
		if p.Issuer() == issuer {
			name = p.Name()
		}
	}
	return w.endAtProvider(ctx, person{subject, issuer}, name, "refused", asked)
}

// endAtProvider ends a subject's sessions that came from a provider, with a time
// only those that began before.
func (w *Worker) endAtProvider(ctx context.Context, key person, name, reason string, before time.Time) error {
	ended, err := w.SignOuts.EndProviderSessions(ctx, key.subject, key.issuer, before)
	if ended > 0 {
		w.Logger.InfoContext(ctx, "sign-in has ended at the provider", "provider", name, "subject", key.subject, "sessions", ended, "reason", reason,
			"cure", "the person signs in again; if that is refused, the provider's own log says why")
		w.Events(ctx, "logout", slog.String("provider", name), slog.String("reason", "provider_"+reason))
	}
	return err
}
