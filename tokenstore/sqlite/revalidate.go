package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const selectStates = `
	SELECT id, revoked_at, expires_at, min(expires_at, max(rotated_at, seen_at) + idle), ` + subjectSuspended + `,
		substr(claims, 1, 16)
	FROM session WHERE id IN (SELECT unhex(value) FROM json_each(?))`

const touchSessions = `
	UPDATE session SET seen_at = max(seen_at, ?)
	WHERE id IN (SELECT unhex(value) FROM json_each(?)) AND ` + liveSession

// Revalidate returns the state of each of the sessions that exist. It writes
// only when there is something to touch; the states tell of the sessions after
// that.
func (s *Store) Revalidate(ctx context.Context, ids, touch []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	states, now, err := s.revalidate(ctx, ids, touch)
	if err != nil {
		return nil, time.Time{}, wrap("revalidating sessions", err)
	}
	return states, now, nil
}

func (s *Store) revalidate(ctx context.Context, ids, touch []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	if len(touch) == 0 {
		q, err := s.read(ctx)
		if err != nil {
			return nil, time.Time{}, err
		}
		now := s.now()
		states, err := all(ctx, q, scanState, selectStates, jsonIDs(ids))
		return states, now, err
	}
	var states []tokenstore.SessionState
	var now time.Time
	err := s.write(ctx, func(t *tx) error {
		now = t.now
		at := now.UnixMicro()
		if _, err := t.exec(ctx, touchSessions, at, jsonIDs(touch), at, at); err != nil {
			return err
		}
		var err error
		states, err = all(ctx, t, scanState, selectStates, jsonIDs(ids))
		return err
	})
	return states, now, err
}

func scanState(row scanner) (tokenstore.SessionState, error) {
	var st tokenstore.SessionState
	var revoked, expires, ends sql.NullInt64
	var claims []byte
	err := row.Scan(&st.ID, &revoked, &expires, &ends, &st.Suspended, &claims)
	st.Claims = tokenstore.StampOf(claims)
	st.RevokedAt, st.ExpiresAt, st.EndsAt = instant(revoked), instant(expires), instant(ends)
	return st, err
}
