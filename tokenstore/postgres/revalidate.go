package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// The states tell of the sessions after the touch. A row that somebody else
// holds, who is rotating or touching it himself, is not waited for, and so two
// nodes that touch the same rows cannot deadlock.
const (
	selectStates = `
		SELECT s.id, s.revoked_at, s.expires_at,
			least(s.expires_at, greatest(` + idleSession + `, touched.seen_at + s.idle * interval '1 microsecond')),
			` + suspendedSession + `, substr(s.claims, 1, 16), c.now
		FROM (SELECT {now} AS now) c
		LEFT JOIN (session s LEFT JOIN touched ON touched.id = s.id) ON s.id = ANY ($1)`

	revalidateOnly = `
		WITH touched AS (SELECT NULL::uuid AS id, NULL::timestamptz AS seen_at WHERE false)` + selectStates

	revalidateAndTouch = `
		WITH due AS MATERIALIZED (
			SELECT s.id FROM session s WHERE s.id = ANY ($2) AND ` + liveSession + `
			FOR NO KEY UPDATE OF s SKIP LOCKED
		), touched AS (
			UPDATE session AS s SET seen_at = greatest(s.seen_at, {now})
			WHERE s.id = ANY (ARRAY(SELECT id FROM due))
			RETURNING s.id, s.seen_at
		)` + selectStates
)

// Revalidate returns the state of each of the sessions that exist, in one
// statement. The plan is made for the ids given, so that only their months are
// looked at.
func (s *Store) Revalidate(ctx context.Context, ids, touch []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	template, args := revalidateOnly, []any{pgx.QueryExecModeCacheDescribe, rawIDs(ids)}
	if len(touch) > 0 {
		template, args = revalidateAndTouch, append(args, rawIDs(touch))
	}
	var states []tokenstore.SessionState
	var now time.Time
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		states = nil
		rows, err := s.pool.Query(ctx, s.plain(template), args...)
		if err != nil {
			return err
		}
		var id pgtype.UUID
		var state tokenstore.SessionState
		var expires, ends zeronull.Timestamptz
		var claims pgtype.DriverBytes
		_, err = pgx.ForEachRow(rows, []any{
			&id, (*zeronull.Timestamptz)(&state.RevokedAt), &expires, &ends, &state.Suspended, &claims, &now,
		}, func() error {
			if id.Valid {
				state.ID, state.ExpiresAt, state.EndsAt = id.Bytes, time.Time(expires), time.Time(ends)
				state.Claims = tokenstore.StampOf(claims)
				states = append(states, state)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, time.Time{}, wrap("revalidating sessions", err)
	}
	return states, now, nil
}
