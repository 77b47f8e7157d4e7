package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// sessionColumns are a session's columns in the order of [scanSession], but
// for whether its subject is suspended.
const sessionColumns = `id, parent, subject, client_id, scope, resource, claims, secret_hash, cnf,
	auth_time, acr, amr, provider, user_agent,
	generation, rotated_at, rotated_before, seen_at, revoked_at, idle, expires_at`

const subjectSuspended = `EXISTS (
	SELECT 1 FROM subject WHERE subject.id = session.subject AND subject.suspended_at IS NOT NULL)`

const selectSession = `SELECT ` + sessionColumns + `, ` + subjectSuspended + ` FROM session WHERE id = ?`

// liveSession holds for sessions that are live at a time, which is a
// parameter given twice.
const liveSession = `(revoked_at IS NULL AND expires_at > ? AND max(rotated_at, seen_at) + idle > ?
	AND NOT ` + subjectSuspended + `)`

// storedSession is a session as it is stored.
type storedSession struct {
	tokenstore.Session
	rotatedBefore time.Time
}

// scanSession scans a session, and judges it by now.
func scanSession(now time.Time) func(scanner) (storedSession, error) {
	return func(row scanner) (storedSession, error) {
		s := storedSession{Session: tokenstore.Session{Now: now}}
		var resource, amr string
		var authTime, rotated, before, seen, revoked, expires sql.NullInt64
		var idle int64
		err := row.Scan(&s.ID, &s.Parent, &s.Subject, &s.ClientID, &s.Scope, &resource, &s.Claims, &s.SecretHash, &s.Cnf,
			&authTime, &s.ACR, &amr, &s.Provider, &s.UserAgent,
			&s.Generation, &rotated, &before, &seen, &revoked, &idle, &expires, &s.Suspended)
		if err != nil {
			return storedSession{}, err
		}
		s.CreatedAt = idTime(s.ID)
		s.AuthTime, s.RotatedAt, s.rotatedBefore = instant(authTime), instant(rotated), instant(before)
		s.SeenAt, s.RevokedAt, s.ExpiresAt = instant(seen), instant(revoked), instant(expires)
		s.Idle = time.Duration(idle) * time.Microsecond
		if s.Resource, err = parseList(resource); err != nil {
			return storedSession{}, err
		}
		s.AMR, err = parseList(amr)
		return s, err
	}
}

// idTime is the time in a UUIDv7.
func idTime(id uuid.UUID) time.Time {
	sec, nsec := id.Time().UnixTime()
	return time.Unix(sec, nsec).UTC()
}

// Session returns a session whatever its state, or [tokenstore.ErrNotFound].
func (s *Store) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	q, err := s.read(ctx)
	if err != nil {
		return tokenstore.Session{}, wrap("reading session", err)
	}
	row, err := one(ctx, q, scanSession(s.now()), selectSession, id[:])
	return row.Session, wrap("reading session", err)
}

// CreateSession creates a session of a known subject.
func (s *Store) CreateSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	if err := n.Validate(); err != nil {
		return tokenstore.Session{}, wrap("creating session", err)
	}
	var created tokenstore.Session
	err := s.write(ctx, func(t *tx) error {
		subject, err := one(ctx, t, scanSubject, selectSubject, n.Subject)
		switch {
		case err != nil:
			return err
		case subject.Suspended():
			return tokenstore.ErrSuspended
		}
		created, err = t.createSession(ctx, n)
		return err
	})
	if err != nil {
		return tokenstore.Session{}, wrap("creating session", err)
	}
	return created, nil
}

// createSession creates a session of a subject that may sign in.
func (t *tx) createSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	// A replay must be seen as one even after its parent ended.
	switch taken, err := one(ctx, t, scanSession(t.now), selectSession, n.ID[:]); {
	case err == nil:
		return t.takeOver(ctx, taken.Session, n)
	case !errors.Is(err, tokenstore.ErrNotFound):
		return tokenstore.Session{}, err
	}
	expires := t.now.Add(n.Lifetime)
	if n.Parent != uuid.Nil {
		end, err := t.parentEnd(ctx, n)
		if err != nil {
			return tokenstore.Session{}, err
		}
		switch {
		case n.Detached:
			n.Parent = uuid.Nil
		case end.Before(expires):
			expires = end
		}
	}
	resource, err := jsonList(n.Resource)
	if err != nil {
		return tokenstore.Session{}, err
	}
	amr, err := jsonList(n.AMR)
	if err != nil {
		return tokenstore.Session{}, err
	}
	now := t.now.UnixMicro()
	row, err := one(ctx, t, scanSession(t.now), `
		INSERT INTO session (`+sessionColumns+`, provider_session)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, NULL, ?, ?, ?)
		RETURNING `+sessionColumns+`, 0`,
		n.ID[:], blobID(n.Parent), n.Subject, n.ClientID, n.Scope, resource, n.Claims, notNull(n.SecretHash), n.Cnf,
		micros(n.AuthTime), n.ACR, amr, n.Provider, n.CutUserAgent(),
		now, now, now, n.Idle.Microseconds(), expires.UnixMicro(), nullIfEmpty(n.ProviderSession))
	return row.Session, err
}

// takeOver makes a session of the row that an earlier attempt to create it left,
// when that attempt's answer was lost.
func (t *tx) takeOver(ctx context.Context, taken tokenstore.Session, n tokenstore.NewSession) (tokenstore.Session, error) {
	made := func(hash []byte) bool { return bytes.Equal(hash, taken.SecretHash) }
	if !taken.RevokedAt.IsZero() || taken.Generation != 0 || taken.Subject != n.Subject || taken.ClientID != n.ClientID ||
		!slices.ContainsFunc(n.Replaces, made) {
		return tokenstore.Session{}, tokenstore.ErrExists
	}
	if n.Parent != uuid.Nil {
		switch _, err := t.parentEnd(ctx, n); {
		case errors.Is(err, tokenstore.ErrRevoked):
			return tokenstore.Session{}, tokenstore.ErrExists
		case err != nil:
			return tokenstore.Session{}, err
		}
	}
	now := t.now.UnixMicro()
	row, err := one(ctx, t, scanSession(t.now), `
		UPDATE session SET secret_hash = ?, claims = ?, cnf = ?, rotated_at = ?, rotated_before = ?, seen_at = ?
		WHERE id = ? RETURNING `+sessionColumns+`, 0`,
		notNull(n.SecretHash), n.Claims, n.Cnf, now, now, now, n.ID[:])
	return row.Session, err
}

// parentEnd is the absolute end of a new session's parent, which must be live
// and of the same subject.
func (t *tx) parentEnd(ctx context.Context, n tokenstore.NewSession) (time.Time, error) {
	parent, err := one(ctx, t, scanSession(t.now), selectSession, n.Parent[:])
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return time.Time{}, tokenstore.ErrRevoked
	case err != nil:
		return time.Time{}, err
	case parent.Err() != nil, parent.Subject != n.Subject:
		return time.Time{}, tokenstore.ErrRevoked
	}
	return parent.ExpiresAt, nil
}

func nullIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
