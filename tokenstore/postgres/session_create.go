package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A new session is inserted from its subject and its parent, if they allow it.
// The row goes through the partitioned table, so that a month without a
// partition is noticed.
//
// The parent is locked against a change: a revocation that comes at the same
// time waits for the child, and then finds it: that of the
// subject's sessions finds a detached one too.
const (
	insertNew = `
		INSERT INTO session AS s (id, parent, client_id, scope, resource, claims, secret_hash, cnf,
			auth_time, acr, amr, provider, user_agent, idle, provider_session,
			sub, gen, rotated_at, rotated_before, seen_at, expires_at)
		SELECT $1, `
	storedParent = `$2::uuid`
	noParent     = `NULL::uuid`
	otherFields  = `, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $16,
			sub.id, 0, {now}, {now}, {now}, `
	insertSession         = insertNew + storedParent + otherFields
	insertSessionDetached = insertNew + noParent + otherFields

	fromSubject  = ` FROM subject sub`
	fromIdentity = ` FROM identity i JOIN subject sub ON sub.id = i.sub`
	withParent   = ` JOIN {parent} s ON s.sub = sub.id AND s.id = $2 AND ` + unendedSession
	whereSubject = ` WHERE sub.suspended_at IS NULL AND sub.id = $18`
	// An identity's subject is not known before.
	whereIdentity = ` WHERE sub.suspended_at IS NULL AND i.issuer = $18 AND i.external = $19`
	ownEnd        = `{now} + $15::bigint * interval '1 microsecond'`
	parentsEnd    = `least(s.expires_at, ` + ownEnd + `)`
	lockParent    = ` FOR SHARE OF s`
	// A row that an attempt made whose answer was lost is taken over. Of two
	// that try, the second finds another secret than it was told of.
	unlessTaken = ` ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash, claims = excluded.claims, cnf = excluded.cnf,
			rotated_at = excluded.rotated_at, rotated_before = excluded.rotated_before, seen_at = excluded.seen_at
		WHERE s.secret_hash = ANY ($17::bytea[]) AND s.revoked_at IS NULL AND s.gen = 0
			AND s.sub = excluded.sub AND s.client_id = excluded.client_id
		RETURNING ` + sessionColumns + `, false, {now}`

	createAlone    = insertSession + ownEnd + fromSubject + whereSubject + unlessTaken
	createChild    = insertSession + parentsEnd + fromSubject + withParent + whereSubject + lockParent + unlessTaken
	createDetached = insertSessionDetached + ownEnd + fromSubject + withParent + whereSubject + lockParent + unlessTaken
	signInAlone    = insertSession + ownEnd + fromIdentity + whereIdentity + unlessTaken
	signInAsChild  = insertSession + parentsEnd + fromIdentity + withParent + whereIdentity + lockParent + unlessTaken

	// whyNoSession looks for the reason when nothing was inserted.
	whyNoSession = `SELECT EXISTS (SELECT FROM {session} s WHERE s.id = $1)`
)

// sessionArgs are the arguments of a template that inserts a session, but for
// the last, which say whose it is.
func sessionArgs(n tokenstore.NewSession) []any {
	return []any{
		[16]byte(n.ID), nullID(n.Parent), n.ClientID, n.Scope, notNil(n.Resource), n.Claims, notNull(n.SecretHash), n.Cnf,
		zeronull.Timestamptz(n.AuthTime), n.ACR, notNil(n.AMR), n.Provider, n.CutUserAgent(),
		n.Idle.Microseconds(), n.Lifetime.Microseconds(), nullIfEmpty(n.ProviderSession),
		n.Replaces,
	}
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

// CreateSession creates a session of a known subject.
func (s *Store) CreateSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	if err := n.Validate(); err != nil {
		return tokenstore.Session{}, wrap("creating session", err)
	}
	st := statement{template: createAlone}
	switch {
	case n.Detached:
		st = statement{template: createDetached, parent: monthOf(n.Parent)}
	case n.Parent != uuid.Nil:
		st = statement{template: createChild, parent: monthOf(n.Parent)}
	}
	var row storedSession
	err := s.tryLeaf(ctx, once, st, func(ctx context.Context, st statement) error {
		var err error
		row, err = one(ctx, s.pool, scanSession, s.text(st), append(sessionArgs(n), n.Subject)...)
		return err
	})
	if errors.Is(err, tokenstore.ErrNotFound) {
		err = s.whyNotCreated(ctx, n)
	}
	return row.Session, wrap("creating session", err)
}

// whyNotCreated tells why nothing was inserted.
func (s *Store) whyNotCreated(ctx context.Context, n tokenstore.NewSession) error {
	subject, err := s.Subject(ctx, n.Subject)
	switch {
	case err != nil:
		return err
	case subject.Suspended():
		return tokenstore.ErrSuspended
	}
	return s.whyNoSession(ctx, n)
}

// whyNoSession tells why no session was inserted for a subject that might have
// one: it exists, or its parent is not live.
func (s *Store) whyNoSession(ctx context.Context, n tokenstore.NewSession) error {
	var taken bool
	st := statement{template: whyNoSession, session: monthOf(n.ID)}
	err := s.tryLeaf(ctx, repeatable, st, func(ctx context.Context, st statement) error {
		var err error
		taken, err = one(ctx, s.pool, pgx.RowTo[bool], s.text(st), [16]byte(n.ID))
		return err
	})
	switch {
	case err != nil:
		return err
	case taken:
		return tokenstore.ErrExists
	case n.Parent != uuid.Nil:
		return tokenstore.ErrRevoked
	}
	return fmt.Errorf("the subject changed meanwhile: %w", tokenstore.ErrUnavailable)
}
