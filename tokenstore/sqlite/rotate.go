package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// rotateSession moves a session to the generation after the one presented, if
// that is the current one and nothing stands against it.
const rotateSession = `
	UPDATE session SET generation = generation + 1, rotated_before = rotated_at, rotated_at = ?
	WHERE id = ? AND generation = ? AND secret_hash = ? AND client_id = ? AND cnf = ? AND ` + liveSession + `
	RETURNING ` + sessionColumns + `, 0`

// Rotate moves a session's refresh token to its next generation: one
// conditional UPDATE. Only when that changes nothing is the reason looked for.
func (s *Store) Rotate(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	result, err := s.rotate(ctx, r)
	return result, wrap("rotating refresh token", err)
}

func (s *Store) rotate(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	if err := r.Validate(); err != nil {
		return tokenstore.RotationResult{}, err
	}
	var result tokenstore.RotationResult
	err := s.single(ctx, func(t *tx) error {
		var err error
		result, err = t.rotateCurrent(ctx, r)
		return err
	})
	if err == nil || !errors.Is(err, tokenstore.ErrNotFound) {
		return result, err
	}
	var outcome error
	err = s.write(ctx, func(t *tx) error {
		result, outcome = t.rotateAfter(ctx, r)
		// Reuse is answered with an error, and must be committed.
		if errors.Is(outcome, tokenstore.ErrReused) {
			return nil
		}
		return outcome
	})
	if err != nil {
		return tokenstore.RotationResult{}, err
	}
	return result, outcome
}

// rotateCurrent rotates if the current generation was presented; otherwise
// ErrNotFound, and nothing was written.
func (t *tx) rotateCurrent(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	now := t.now.UnixMicro()
	row, err := one(ctx, t, scanSession(t.now), rotateSession,
		now, r.ID[:], r.Generation, notNull(r.SecretHash), r.ClientID, r.Cnf, now, now)
	if err != nil {
		return tokenstore.RotationResult{}, err
	}
	return tokenstore.RotationResult{Session: row.Session, PreviousRotatedAt: row.rotatedBefore}, nil
}

// rotateAfter judges a presentation that did not simply rotate.
func (t *tx) rotateAfter(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	row, err := one(ctx, t, scanSession(t.now), selectSession, r.ID[:])
	if err != nil {
		return tokenstore.RotationResult{}, err
	}
	retry, err := r.Judge(row.Session)
	switch {
	case errors.Is(err, tokenstore.ErrReused):
		return t.reused(ctx, r, row)
	case err != nil:
		return tokenstore.RotationResult{}, err
	case retry:
		return tokenstore.RotationResult{Session: row.Session, PreviousRotatedAt: row.rotatedBefore, Retry: true}, nil
	}
	// Ahead of the row: the database lost writes. Or it was put back since the
	// first look.
	if _, err := t.exec(ctx, `UPDATE session SET generation = ? WHERE id = ?`, r.Generation, r.ID[:]); err != nil {
		return tokenstore.RotationResult{}, err
	}
	return t.rotateCurrent(ctx, r)
}

// reused revokes what a reused refresh token endangers.
func (t *tx) reused(ctx context.Context, r tokenstore.Rotation, row storedSession) (tokenstore.RotationResult, error) {
	var ids []uuid.UUID
	var err error
	if r.RevokeSubject {
		ids, err = t.revokeSubject(ctx, row.Subject)
	} else {
		ids, err = t.revokeFamily(ctx, r.ID)
	}
	if err != nil {
		return tokenstore.RotationResult{}, err
	}
	row.RevokedAt = t.now
	return tokenstore.RotationResult{Session: row.Session, Reused: ids}, tokenstore.ErrReused
}

// UnrotateSession puts back a rotation that policy refused, if the session is
// still at that generation and not revoked.
func (s *Store) UnrotateSession(ctx context.Context, id uuid.UUID, generation uint32, rotatedAt time.Time) error {
	if err := tokenstore.ValidateUnrotation(generation, rotatedAt); err != nil {
		return wrap("putting back rotation", err)
	}
	return wrap("putting back rotation", s.single(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `
			UPDATE session SET generation = generation - 1, rotated_at = ?, rotated_before = ?
			WHERE id = ? AND generation = ? AND revoked_at IS NULL`,
			micros(rotatedAt), micros(rotatedAt), id[:], generation)
		if err == nil && n == 0 {
			return tokenstore.ErrConflict
		}
		return err
	}))
}
