package signout

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// EndProviderSession ends the sign-ins that came from one session at a provider,
// and what came from them.
func (m *Manager) EndProviderSession(ctx context.Context, issuer, providerSession string) (int, error) {
	ids, err := m.Sessions.OfProvider(ctx, issuer, providerSession)
	if err != nil {
		return 0, err
	}
	for i, id := range ids {
		if err := m.EndSignIn(ctx, id); err != nil {
			return i, err
		}
	}
	return len(ids), nil
}

// EndProviderSessions ends a subject's sessions that came from one provider; with
// a time, by the token store's clock, only those that began before, and what came
// from them.
func (m *Manager) EndProviderSessions(ctx context.Context, subject, issuer string, before time.Time) (int, error) {
	return m.EndOf(ctx, subject, func(row tokenstore.Session, claims identity.Claims) bool {
		return claims.Issuer == issuer && (before.IsZero() || beganAt(row).Before(before))
	})
}

// EndOf ends those of a subject's sessions that are chosen, and what came from them.
func (m *Manager) EndOf(ctx context.Context, subject string, chosen func(tokenstore.Session, identity.Claims) bool) (int, error) {
	ended := 0
	for row, err := range tokenstore.EachSession(ctx, m.Store, tokenstore.SessionQuery{Subject: subject, Limit: page}) {
		if err != nil {
			return ended, err
		}
		_, claims, err := m.Sessions.Lookup(ctx, row.ID)
		if errors.Is(err, session.ErrUnavailable) {
			return ended, err
		}
		if err != nil || !chosen(row, claims) {
			continue
		}
		if err := m.EndSignIn(ctx, row.ID); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// beganAt is when a session was created, by the store's clock. The id, which may
// be that of the flow before it, is older; it is the best that is known of one
// whose refresh token was rotated.
func beganAt(row tokenstore.Session) time.Time {
	if row.Generation > 0 {
		return row.CreatedAt
	}
	return row.RotatedAt
}
