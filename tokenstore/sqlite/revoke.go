package sqlite

import (
	"context"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// revokeDescendants revokes a session and all that came from it.
const revokeDescendants = `
	WITH RECURSIVE family (id) AS (
		SELECT ?
		UNION
		SELECT session.id FROM session JOIN family ON session.parent = family.id
	)
	UPDATE session SET revoked_at = ?
	WHERE id IN (SELECT id FROM family) AND revoked_at IS NULL
	RETURNING id`

// RevokeSession revokes a session and the children that came from it, and
// returns the ids that this call revoked.
func (s *Store) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	var revoked []uuid.UUID
	err := s.write(ctx, func(t *tx) error {
		if _, err := one(ctx, t, scanID, `SELECT id FROM session WHERE id = ?`, id[:]); err != nil {
			return err
		}
		var err error
		revoked, err = t.revokeFamily(ctx, id)
		return err
	})
	return revoked, wrap("revoking session", err)
}

func (t *tx) revokeFamily(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	return all(ctx, t, scanID, revokeDescendants, id[:], t.now.UnixMicro())
}

// RevokeSubject revokes all sessions of a subject and returns those that this
// call revoked. An empty subject is [tokenstore.ErrInvalid].
func (s *Store) RevokeSubject(ctx context.Context, subject string) ([]uuid.UUID, error) {
	if err := tokenstore.ValidateRequired("subject", subject); err != nil {
		return nil, wrap("revoking subject's sessions", err)
	}
	var revoked []uuid.UUID
	err := s.write(ctx, func(t *tx) error {
		var err error
		revoked, err = t.revokeSubject(ctx, subject)
		return err
	})
	return revoked, wrap("revoking subject's sessions", err)
}

func (t *tx) revokeSubject(ctx context.Context, subject string) ([]uuid.UUID, error) {
	return all(ctx, t, scanID, `
		UPDATE session SET revoked_at = ? WHERE subject = ? AND revoked_at IS NULL RETURNING id`,
		t.now.UnixMicro(), subject)
}

// revokeFamilies revokes sessions, by a JSON array of their ids, and all that
// came from them.
const revokeFamilies = `
	WITH RECURSIVE family (id) AS (
		SELECT unhex(value) FROM json_each(?)
		UNION
		SELECT session.id FROM session JOIN family ON session.parent = family.id
	)
	UPDATE session SET revoked_at = ?
	WHERE id IN (SELECT id FROM family) AND revoked_at IS NULL`

// RevokeAgain revokes those of the sessions that exist and are not revoked, and
// the children that came from them.
func (s *Store) RevokeAgain(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return wrap("revoking sessions again", s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, revokeFamilies, jsonIDs(ids), t.now.UnixMicro())
		return err
	}))
}

var _ tokenstore.Sessions = (*Store)(nil)
