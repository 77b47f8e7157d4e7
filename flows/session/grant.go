package session

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Revoke ends one session and what came from it, and tells all nodes; unlike
// [Manager.End] it leaves the sign-in that the session came from. An unknown or
// ended one is no error. An error means what one of [Manager.End] does.
func (m *Manager) Revoke(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	ids, err := m.revoke(ctx, id)
	if err != nil {
		m.Announce(ctx, cache.Announcement{Sessions: []uuid.UUID{id}})
		m.owe(debt{session: id})
		return fmt.Errorf("revoking session: %w", unavailable(err))
	}
	m.Announce(ctx, cache.Announcement{Sessions: append(ids, id)})
	return nil
}

// Claims opens the claims of a row that the store returned, as the settings judge
// them now. provider.ErrGone when the user is no longer let in; it comes with the
// claims as they were at the sign-in.
func (m *Manager) Claims(row tokenstore.Session) (identity.Claims, error) {
	signed, err := m.openClaims(row)
	if err != nil {
		return signed, err
	}
	claims, err := m.acceptable(signed)
	if err != nil {
		return signed, err
	}
	if signed.Credential == "" && claims.Credential != "" {
		m.noteCredential(row.ID, claims.Credential)
	}
	return claims, nil
}

// Judge is who a user is now, as the settings say without asking anybody, who was
// vouched for before: a record outside the sessions. provider.ErrGone when the user is
// no longer let in.
func (m *Manager) Judge(was identity.Claims) (identity.Claims, error) { return m.acceptable(was) }
