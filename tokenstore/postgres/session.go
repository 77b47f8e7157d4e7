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

// sessionColumns are a session's columns, of the table s, in the order of
// [scanSession], but for whether its subject is suspended and the clock.
const sessionColumns = `s.id, s.parent, s.sub, s.client_id, s.scope, s.resource, s.claims, s.secret_hash, s.cnf,
	s.auth_time, s.acr, s.amr, s.provider, s.user_agent,
	s.gen, s.rotated_at, s.rotated_before, s.seen_at, s.revoked_at, s.idle, s.expires_at`

const (
	// suspendedSession is a subquery and not a join, so that it stays a
	// look-up by primary key whatever the planner believes of the tables.
	suspendedSession = `((SELECT sub.suspended_at FROM subject sub WHERE sub.id = s.sub) IS NOT NULL)`
	idleSession      = `(greatest(s.rotated_at, s.seen_at) + s.idle * interval '1 microsecond')`
	// unendedSession holds for sessions neither revoked nor expired.
	unendedSession = `(s.revoked_at IS NULL AND s.expires_at > {now} AND ` + idleSession + ` > {now})`
	liveSession    = `(` + unendedSession + ` AND NOT ` + suspendedSession + `)`

	selectSession = `SELECT ` + sessionColumns + `, ` + suspendedSession + `, {now} FROM {session} s WHERE s.id = $1`
)

// storedSession is a session as it is stored.
type storedSession struct {
	tokenstore.Session
	rotatedBefore time.Time
}

func scanSession(row pgx.CollectableRow) (storedSession, error) { return scanSessionAnd(row) }

// scanSessionAnd reads further columns after those of a session.
func scanSessionAnd(row pgx.CollectableRow, further ...any) (storedSession, error) {
	var s storedSession
	var parent pgtype.UUID
	var idle int64
	err := row.Scan(append([]any{
		(*[16]byte)(&s.ID), &parent, &s.Subject, &s.ClientID, &s.Scope, &s.Resource, &s.Claims, &s.SecretHash, &s.Cnf,
		(*zeronull.Timestamptz)(&s.AuthTime), &s.ACR, &s.AMR, &s.Provider, &s.UserAgent,
		&s.Generation, &s.RotatedAt, &s.rotatedBefore, &s.SeenAt, (*zeronull.Timestamptz)(&s.RevokedAt), &idle, &s.ExpiresAt,
		&s.Suspended, &s.Now,
	}, further...)...)
	if err != nil {
		return storedSession{}, err
	}
	s.Parent = parent.Bytes
	s.CreatedAt = idTime(s.ID)
	s.Idle = time.Duration(idle) * time.Microsecond
	s.Resource, s.AMR = nilIfEmpty(s.Resource), nilIfEmpty(s.AMR)
	return s, nil
}

// Session returns a session whatever its state, or [tokenstore.ErrNotFound].
func (s *Store) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	row, err := s.readSession(ctx, id)
	return row.Session, wrap("reading session", err)
}

func (s *Store) readSession(ctx context.Context, id uuid.UUID) (storedSession, error) {
	var row storedSession
	st := statement{template: selectSession, session: monthOf(id)}
	err := s.tryLeaf(ctx, repeatable, st, func(ctx context.Context, st statement) error {
		var err error
		row, err = one(ctx, s.pool, scanSession, s.text(st), [16]byte(id))
		return err
	})
	return row, err
}

func scanID(row pgx.CollectableRow) (uuid.UUID, error) {
	var id uuid.UUID
	err := row.Scan((*[16]byte)(&id))
	return id, err
}

func nullID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

func rawIDs(ids []uuid.UUID) [][16]byte {
	raw := make([][16]byte, len(ids))
	for i, id := range ids {
		raw[i] = id
	}
	return raw
}
