// Package signout ends sessions for good: by whom they were begun, with what came from
// them, and with the clients told that asked for it (OpenID Connect Back-Channel Logout).
// A sign-out holds on all nodes, and though the browser leaves or a store is down
// meanwhile.
package signout

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// page is how many sessions are listed at once.
const page = 500

// Config is what a Manager is made of.
type Config struct {
	Clients map[string]*client.Client
	// Keys that logout tokens are signed with. Nil: no client is told.
	Keys *token.Keys
	// Portal is the issuer of all sessions; zero where each site is its own.
	Portal   web.Issuer
	Sessions *session.Manager
	Store    tokenstore.Store
	Keyring  *keyring.Keyring
	// HTTPClient reaches clients. It should follow no redirects.
	HTTPClient *http.Client
	Logger     *slog.Logger
	Now        func() time.Time
	Random     io.Reader
	// Kick has the outbox looked at now.
	Kick func()
}

// Manager ends sessions. It is safe for concurrent use.
type Manager struct {
	Config
	owed owedLogouts
}

// New makes a manager.
func New(c Config) *Manager { return &Manager{Config: c} }

// EndSession signs a session out: with the sign-in that it came from, those that
// renewed it or that it renewed, and with everything that came from them. Clients
// that asked for it are told. It does not stop when ctx ends: people close the
// window as soon as they have clicked. An unknown or ended session is no error;
// [session.ErrUnavailable] is.
func (m *Manager) EndSession(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		return m.endingWithAll(ctx, since, id)
	}
	return m.tellAndEnd(ctx, id.String(), tell, func() error { return m.Sessions.SignOut(ctx, id) })
}

// EndSignIn is EndSession for the one sign-in that the session came from: of what
// has ended at a provider, the person may have signed in there again since.
func (m *Manager) EndSignIn(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		return m.endingWith(ctx, since, id)
	}
	return m.tellAndEnd(ctx, id.String(), tell, func() error { return m.Sessions.End(ctx, id) })
}

// EndSubject signs all sessions of a subject out. Clients that asked for it are
// told. It does not stop when ctx ends. Errors: [session.ErrUnavailable]; an empty
// subject is [tokenstore.ErrInvalid].
func (m *Manager) EndSubject(ctx context.Context, subject string) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		if subject == "" {
			return nil, nil
		}
		rows, err := m.sessionsSince(ctx, since, tokenstore.SessionQuery{Subject: subject})
		return m.toldOf(rows), err
	}
	return m.tellAndEnd(ctx, subject, tell, func() error { return m.Sessions.EndSubject(ctx, subject) })
}

// EndOne ends one session and what came from it, and leaves the sign-in that it
// came from. Clients that asked for it are told. Errors as of [Manager.EndSession].
func (m *Manager) EndOne(ctx context.Context, row tokenstore.Session) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		children, err := m.sessionsSince(ctx, since, tokenstore.SessionQuery{Subject: row.Subject, Parent: row.ID})
		if row.RevokedAt.IsZero() {
			children = append(children, row)
		}
		return m.toldOf(children), err
	}
	return m.tellAndEnd(ctx, row.ID.String(), tell, func() error { return m.Revoke(ctx, row.ID) })
}

// Revoke ends one session and what came from it, and tells all nodes, but no client. An
// unknown session is no error.
func (m *Manager) Revoke(ctx context.Context, id uuid.UUID) error {
	err := m.Sessions.Revoke(ctx, id)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	return err
}
