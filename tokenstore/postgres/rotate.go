package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Under READ COMMITTED the loser of two rotations waits for the winner's row
// and judges the WHERE again on what the winner left, so that a generation is
// rotated once without any other lock.
const (
	rotateTo = `
		UPDATE {session} AS s SET gen = $2::bigint + 1, rotated_before = s.rotated_at, rotated_at = {now}
		WHERE s.id = $1 AND s.secret_hash = $3 AND s.client_id = $4 AND s.cnf = $5 AND ` + liveSession
	rotateReturning = ` RETURNING ` + sessionColumns + `, false, {now}`

	rotateCurrent = rotateTo + ` AND s.gen = $2` + rotateReturning
	// rotateForward rotates a generation that the row has not reached.
	rotateForward = rotateTo + ` AND s.gen <= $2` + rotateReturning

	unrotate = `
		UPDATE {session} AS s SET gen = s.gen - 1, rotated_at = $3, rotated_before = $3
		WHERE s.id = $1 AND s.gen = $2 AND s.revoked_at IS NULL`
)

// rotateTries bounds how often a rotation is judged anew because the row
// changed between two looks.
const rotateTries = 4

// repeatableGrace is the grace from which a rotation whose answer was lost may
// be sent again: the second one is then answered as a retry.
const repeatableGrace = 10 * time.Second

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
	result, err := s.rotateTogether(ctx, r)
	for tries := 0; errors.Is(err, tokenstore.ErrNotFound) && tries < rotateTries; tries++ {
		var row storedSession
		row, err = s.readSession(ctx, r.ID)
		if err != nil {
			return tokenstore.RotationResult{}, err
		}
		switch retry, verdict := r.Judge(row.Session); {
		case retry:
			return tokenstore.RotationResult{Session: row.Session, PreviousRotatedAt: row.rotatedBefore, Retry: true}, nil
		case verdict == nil: // not reached: lost writes, or put back since the first look
			result, err = s.rotateBy(ctx, rotateForward, r)
		case errors.Is(verdict, tokenstore.ErrReused):
			return s.reused(ctx, r, row)
		default:
			return tokenstore.RotationResult{}, verdict
		}
	}
	if errors.Is(err, tokenstore.ErrNotFound) {
		return tokenstore.RotationResult{}, fmt.Errorf("the session keeps changing: %w", tokenstore.ErrUnavailable)
	}
	return result, err
}

// rotateBy does one conditional UPDATE; ErrNotFound when it changed nothing.
func (s *Store) rotateBy(ctx context.Context, template string, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	var row storedSession
	st := statement{template: template, session: monthOf(r.ID)}
	err := s.tryLeaf(ctx, repeatability(r.Grace >= repeatableGrace), st, func(ctx context.Context, st statement) error {
		var err error
		row, err = one(ctx, s.pool, scanSession, s.text(st),
			[16]byte(r.ID), int64(r.Generation), notNull(r.SecretHash), r.ClientID, r.Cnf)
		return err
	})
	if err != nil {
		return tokenstore.RotationResult{}, err
	}
	return tokenstore.RotationResult{Session: row.Session, PreviousRotatedAt: row.rotatedBefore}, nil
}

// reused revokes what a reused refresh token endangers, also when who presented it
// leaves meanwhile: a thief would.
func (s *Store) reused(ctx context.Context, r tokenstore.Rotation, row storedSession) (tokenstore.RotationResult, error) {
	ctx = context.WithoutCancel(ctx)
	var ids []uuid.UUID
	var err error
	if r.RevokeSubject {
		ids, err = s.revokeSubject(ctx, row.Subject)
	} else {
		ids, err = s.revokeFamily(ctx, r.ID)
	}
	if err != nil {
		return tokenstore.RotationResult{}, err
	}
	row.RevokedAt = row.Now
	return tokenstore.RotationResult{Session: row.Session, Reused: ids}, tokenstore.ErrReused
}

// UnrotateSession puts back a rotation that policy refused, if the session is
// still at that generation and not revoked. When the connection is lost it is
// sent again: if the first one was carried out, the row is at the generation
// before, and the second finds a conflict. Should somebody have rotated it anew
// between the two, theirs is put back, and what they hold is ahead of the row,
// which moves forward when it comes.
func (s *Store) UnrotateSession(ctx context.Context, id uuid.UUID, generation uint32, rotatedAt time.Time) error {
	if err := tokenstore.ValidateUnrotation(generation, rotatedAt); err != nil {
		return wrap("putting back rotation", err)
	}
	st := statement{template: unrotate, session: monthOf(id)}
	err := s.tryLeaf(ctx, repeatable, st, func(ctx context.Context, st statement) error {
		tag, err := s.pool.Exec(ctx, s.text(st), [16]byte(id), int64(generation), zeronull.Timestamptz(rotatedAt))
		return affected(tag, err, pgx.ErrNoRows)
	})
	if errors.Is(err, tokenstore.ErrNotFound) {
		err = tokenstore.ErrConflict
	}
	return wrap("putting back rotation", err)
}
