package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// SignIn finds or creates the subject of an identity and creates the session,
// atomically. A NewSubject that is taken by another identity's subject is
// [tokenstore.ErrConflict], since it must not become this identity's.
func (s *Store) SignIn(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	session, err := s.signIn(ctx, in)
	return session, wrap("signing in", err)
}

func (s *Store) signIn(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	if err := in.Validate(); err != nil {
		return tokenstore.Session{}, err
	}
	var session tokenstore.Session
	err := s.write(ctx, func(t *tx) error {
		subject, err := t.findOrCreate(ctx, in.Identity, in.NewSubject)
		switch {
		case err != nil:
			return err
		case subject.Suspended():
			return tokenstore.ErrSuspended
		case in.Session.ID == uuid.Nil:
			session = tokenstore.Session{Subject: subject.ID}
			return nil
		}
		in.Session.Subject = subject.ID
		session, err = t.createSession(ctx, in.Session)
		return err
	})
	if err != nil {
		return tokenstore.Session{}, err
	}
	return session, nil
}

func (t *tx) findOrCreate(ctx context.Context, id tokenstore.Identity, newSubject string) (tokenstore.Subject, error) {
	subject, err := one(ctx, t, scanSubject, selectIdentity, id.Issuer, id.Subject)
	if !errors.Is(err, tokenstore.ErrNotFound) {
		return subject, err
	}
	n, err := t.exec(ctx, `INSERT INTO subject (id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING`,
		newSubject, t.now.UnixMicro())
	if err != nil {
		return tokenstore.Subject{}, err
	}
	if n == 0 {
		return tokenstore.Subject{}, fmt.Errorf("new subject is taken: %w", tokenstore.ErrConflict)
	}
	if _, err := t.exec(ctx, insertIdentity, id.Issuer, id.Subject, newSubject); err != nil {
		return tokenstore.Subject{}, err
	}
	return tokenstore.Subject{ID: newSubject, CreatedAt: t.now}, nil
}
