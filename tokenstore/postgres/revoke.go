package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Descendants have the subject of their ancestor, and are found by it: there
// is no index on parent. Ids are handed over as an array, so that the plan is
// a look-up of each and never a join of whole months.
const (
	revokeOne = `
		UPDATE {session} AS s SET revoked_at = {now} WHERE s.id = $1 AND s.revoked_at IS NULL RETURNING s.id`
	sessionExists     = `SELECT EXISTS (SELECT FROM {session} s WHERE s.id = $1)`
	revokeDescendants = `
		WITH RECURSIVE child AS MATERIALIZED (
			SELECT s.id, s.parent FROM session s
			WHERE s.sub = (SELECT s.sub FROM {session} s WHERE s.id = $1) AND s.parent IS NOT NULL
		), family (id) AS (
			SELECT $1::uuid UNION SELECT child.id FROM child JOIN family ON child.parent = family.id
		)
		UPDATE session AS s SET revoked_at = {now}
		WHERE s.id = ANY (ARRAY(SELECT id FROM family)) AND s.revoked_at IS NULL
		RETURNING s.id`
	revokeAll = `
		UPDATE session AS s SET revoked_at = {now} WHERE s.sub = $1 AND s.revoked_at IS NULL RETURNING s.id`
	revokeListed = `
		UPDATE session AS s SET revoked_at = {now} WHERE s.id = ANY ($1) AND s.revoked_at IS NULL`
	revokeTheirDescendants = `
		WITH RECURSIVE child AS MATERIALIZED (
			SELECT s.id, s.parent FROM session s
			WHERE s.sub = ANY (ARRAY(SELECT s.sub FROM session s WHERE s.id = ANY ($1))) AND s.parent IS NOT NULL
		), family (id) AS (
			SELECT unnest($1::uuid[]) UNION SELECT child.id FROM child JOIN family ON child.parent = family.id
		)
		UPDATE session AS s SET revoked_at = {now}
		WHERE s.id = ANY (ARRAY(SELECT id FROM family)) AND s.revoked_at IS NULL`
)

// revokedAtOnce is how many sessions one transaction revokes again, so that it
// is done in time however many there are.
const revokedAtOnce = 1000

// RevokeSession revokes a session and the children that came from it, and
// returns the ids that this call revoked.
func (s *Store) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	ids, err := s.revokeFamily(ctx, id)
	return ids, wrap("revoking session", err)
}

// revokeFamily revokes in two steps of one transaction. The first waits for
// those who are about to create a child; the second has a later snapshot and
// sees these children.
func (s *Store) revokeFamily(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	var revoked []uuid.UUID
	var exists bool
	st := statement{session: monthOf(id)}
	err := s.tryLeaf(ctx, once, st, func(ctx context.Context, st statement) error {
		var batch pgx.Batch
		for _, template := range []string{revokeOne, revokeDescendants, sessionExists} {
			batch.Queue(s.text(statement{template: template, session: st.session}), [16]byte(id))
		}
		var err error
		revoked, exists, err = readRevoked(s.pool.SendBatch(ctx, &batch))
		return err
	})
	if err == nil && !exists {
		err = tokenstore.ErrNotFound
	}
	return revoked, err
}

func readRevoked(results pgx.BatchResults) ([]uuid.UUID, bool, error) {
	own, err := readBatch(results, scanID)
	if err != nil {
		return nil, false, closeBatch(results, err)
	}
	descendants, err := readBatch(results, scanID)
	if err != nil {
		return nil, false, closeBatch(results, err)
	}
	var exists bool
	err = results.QueryRow().Scan(&exists)
	return append(own, descendants...), exists, closeBatch(results, err)
}

// RevokeSubject revokes all sessions of a subject and returns those that this
// call revoked. An empty subject is [tokenstore.ErrInvalid].
func (s *Store) RevokeSubject(ctx context.Context, subject string) ([]uuid.UUID, error) {
	if err := tokenstore.ValidateRequired("subject", subject); err != nil {
		return nil, wrap("revoking subject's sessions", err)
	}
	ids, err := s.revokeSubject(ctx, subject)
	return ids, wrap("revoking subject's sessions", err)
}

// revokeSubject revokes twice in one transaction: the second time finds the
// children whose creation the first had to wait for.
func (s *Store) revokeSubject(ctx context.Context, subject string) ([]uuid.UUID, error) {
	var revoked []uuid.UUID
	err := s.try(ctx, once, func(ctx context.Context) error {
		revoked = nil
		var batch pgx.Batch
		batch.Queue(s.plain(revokeAll), subject)
		batch.Queue(s.plain(revokeAll), subject)
		results := s.pool.SendBatch(ctx, &batch)
		for range batch.Len() {
			ids, err := readBatch(results, scanID)
			if err != nil {
				return closeBatch(results, err)
			}
			revoked = append(revoked, ids...)
		}
		return closeBatch(results, nil)
	})
	if err != nil {
		return nil, err
	}
	return revoked, nil
}

// RevokeAgain revokes those of the sessions that exist and are not revoked, and
// the children that came from them.
func (s *Store) RevokeAgain(ctx context.Context, ids []uuid.UUID) error {
	for some := range slices.Chunk(ids, revokedAtOnce) {
		if err := s.revokeFamilies(ctx, some); err != nil {
			return fmt.Errorf("revoking %d sessions again: %w", len(ids), err)
		}
	}
	return nil
}

// revokeFamilies is revokeFamily for many.
func (s *Store) revokeFamilies(ctx context.Context, ids []uuid.UUID) error {
	return s.try(ctx, repeatable, func(ctx context.Context) error {
		var batch pgx.Batch
		batch.Queue(s.plain(revokeListed), rawIDs(ids))
		batch.Queue(s.plain(revokeTheirDescendants), rawIDs(ids))
		return s.pool.SendBatch(ctx, &batch).Close()
	})
}

var _ tokenstore.Sessions = (*Store)(nil)
