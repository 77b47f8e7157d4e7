package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A sign-in is two statements that are sent together and are one transaction.
// The first creates the subject of an unknown identity. If another sign-in of
// the identity is at it, the insert waits for that one and then does nothing;
// the second statement has a later snapshot and finds the subject, whoever
// created it.
//
// A replay, or a session with a parent (which a new subject cannot have),
// creates no subject.
const (
	createSubject = `
		WITH new AS (
			INSERT INTO identity (issuer, external, sub)
			SELECT $1, $2, $3
			WHERE NOT EXISTS (SELECT FROM identity WHERE issuer = $1 AND external = $2)
				AND $4::uuid IS NULL
				AND NOT EXISTS (SELECT FROM {session} s WHERE s.id = $5)
			ON CONFLICT (issuer, external) DO NOTHING
			RETURNING sub
		)
		INSERT INTO subject (id, created_at) SELECT sub, {now} FROM new`

	identityOnly = `
		SELECT sub.id, sub.created_at, sub.suspended_at
		FROM identity i JOIN subject sub ON sub.id = i.sub
		WHERE i.issuer = $1 AND i.external = $2`
)

// SignIn finds or creates the subject of an identity and creates the session.
// A NewSubject that is taken by another identity's subject is
// [tokenstore.ErrConflict], since it must not become this identity's.
func (s *Store) SignIn(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	session, err := s.signIn(ctx, in)
	return session, wrap("signing in", err)
}

func (s *Store) signIn(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	if err := in.Validate(); err != nil {
		return tokenstore.Session{}, err
	}
	if in.Session.ID == uuid.Nil {
		return s.signInWithoutSession(ctx, in)
	}
	var row storedSession
	err := s.signInBatch(ctx, once, in, signInStatement(in.Session), func(batch *pgx.Batch, sql string) {
		batch.Queue(sql, append(sessionArgs(in.Session), in.Identity.Issuer, in.Identity.Subject)...)
	}, func(rows pgx.Rows) error {
		var err error
		row, err = pgx.CollectOneRow(rows, scanSession)
		return err
	})
	if errors.Is(err, tokenstore.ErrNotFound) {
		err = s.whyNotSignedIn(ctx, in)
	}
	return row.Session, err
}

func signInStatement(n tokenstore.NewSession) statement {
	if n.Parent == uuid.Nil {
		return statement{template: signInAlone, session: monthOf(n.ID)}
	}
	return statement{template: signInAsChild, session: monthOf(n.ID), parent: monthOf(n.Parent)}
}

// signInWithoutSession finds or creates the subject alone.
func (s *Store) signInWithoutSession(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	in.Session = tokenstore.NewSession{}
	var subject tokenstore.Subject
	err := s.signInBatch(ctx, repeatable, in, statement{template: identityOnly}, func(batch *pgx.Batch, sql string) {
		batch.Queue(sql, in.Identity.Issuer, in.Identity.Subject)
	}, func(rows pgx.Rows) error {
		var err error
		subject, err = pgx.CollectOneRow(rows, scanSubject)
		return err
	})
	switch {
	case err != nil:
		return tokenstore.Session{}, err
	case subject.Suspended():
		return tokenstore.Session{}, tokenstore.ErrSuspended
	}
	return tokenstore.Session{Subject: subject.ID}, nil
}

// signInBatch creates the identity's subject, if need be, and does the second
// statement.
func (s *Store) signInBatch(ctx context.Context, r repeatability, in tokenstore.SignIn, second statement,
	queue func(*pgx.Batch, string), read func(pgx.Rows) error,
) error {
	err := s.tryLeaf(ctx, r, second, func(ctx context.Context, st statement) error {
		var batch pgx.Batch
		batch.Queue(s.text(statement{template: createSubject, session: st.session}), in.Identity.Issuer, in.Identity.Subject, in.NewSubject,
			nullID(in.Session.Parent), [16]byte(in.Session.ID))
		queue(&batch, s.text(st))
		results := s.pool.SendBatch(ctx, &batch)
		if _, err := results.Exec(); err != nil {
			return closeBatch(results, err)
		}
		rows, err := results.Query()
		if err != nil {
			return closeBatch(results, err)
		}
		return closeBatch(results, read(rows))
	})
	if sqlState(err) == stateUniqueViolation {
		return fmt.Errorf("new subject is taken: %w", tokenstore.ErrConflict)
	}
	return err
}

// whyNotSignedIn tells why no session was inserted.
func (s *Store) whyNotSignedIn(ctx context.Context, in tokenstore.SignIn) error {
	subject, err := s.FindSubject(ctx, in.Identity)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return s.whyNoSession(ctx, in.Session) // a replay, or a parent of somebody else's
	case err != nil:
		return err
	case subject.Suspended():
		return tokenstore.ErrSuspended
	}
	return s.whyNoSession(ctx, in.Session)
}
