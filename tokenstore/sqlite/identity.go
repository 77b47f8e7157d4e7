package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const selectIdentity = `
	SELECT s.id, s.created_at, s.suspended_at
	FROM identity i JOIN subject s ON s.id = i.subject
	WHERE i.issuer = ? AND i.external = ?`

const insertIdentity = `INSERT INTO identity (issuer, external, subject) VALUES (?, ?, ?)`

// FindSubject returns the subject of an identity, or
// [tokenstore.ErrNotFound].
func (s *Store) FindSubject(ctx context.Context, id tokenstore.Identity) (tokenstore.Subject, error) {
	sub, err := s.findSubject(ctx, id)
	return sub, wrap("finding subject", err)
}

func (s *Store) findSubject(ctx context.Context, id tokenstore.Identity) (tokenstore.Subject, error) {
	if err := id.Validate(); err != nil {
		return tokenstore.Subject{}, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return tokenstore.Subject{}, err
	}
	return one(ctx, q, scanSubject, selectIdentity, id.Issuer, id.Subject)
}

// Identities lists the identities of a subject, oldest first.
func (s *Store) Identities(ctx context.Context, subject string) ([]tokenstore.Identity, error) {
	list, err := s.identities(ctx, subject)
	return list, wrap("listing identities", err)
}

func (s *Store) identities(ctx context.Context, subject string) ([]tokenstore.Identity, error) {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return nil, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return all(ctx, q, func(row scanner) (id tokenstore.Identity, err error) {
		err = row.Scan(&id.Issuer, &id.Subject)
		return id, err
	}, `SELECT issuer, external FROM identity WHERE subject = ? ORDER BY seq`, subject)
}

// Link adds an identity to a subject. [tokenstore.ErrExists] when it belongs
// to another subject, [tokenstore.ErrConflict] when the subject has another one of the
// issuer, [tokenstore.ErrNotFound] when there is no such subject.
func (s *Store) Link(ctx context.Context, subject string, id tokenstore.Identity) error {
	if err := cmp.Or(tokenstore.ValidateSubject(subject), id.Validate()); err != nil {
		return wrap("linking identity", err)
	}
	return wrap("linking identity", s.write(ctx, func(t *tx) error {
		if _, err := one(ctx, t, scanSubject, selectSubject, subject); err != nil {
			return err
		}
		owner, err := one(ctx, t, scanSubject, selectIdentity, id.Issuer, id.Subject)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			n, err := t.exec(ctx, `
				INSERT INTO identity (issuer, external, subject)
				SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM identity WHERE subject = ?3 AND issuer = ?1)`,
				id.Issuer, id.Subject, subject)
			if err == nil && n == 0 {
				return tokenstore.ErrConflict
			}
			return err
		case err != nil:
			return err
		case owner.ID != subject:
			return tokenstore.ErrExists
		}
		return nil
	}))
}

// Unlink removes an identity of a subject, or answers
// [tokenstore.ErrNotFound].
func (s *Store) Unlink(ctx context.Context, subject string, id tokenstore.Identity) error {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), id.Validate()); err != nil {
		return wrap("unlinking identity", err)
	}
	return wrap("unlinking identity", s.write(ctx, func(t *tx) error {
		owned, err := all(ctx, t, func(row scanner) (id tokenstore.Identity, err error) {
			err = row.Scan(&id.Issuer, &id.Subject)
			return id, err
		}, `SELECT issuer, external FROM identity WHERE subject = ?`, subject)
		switch {
		case err != nil:
			return err
		case !slices.Contains(owned, id):
			return tokenstore.ErrNotFound
		case len(owned) == 1:
			return tokenstore.ErrConflict
		}
		return found(t.exec(ctx, `DELETE FROM identity WHERE issuer = ? AND external = ? AND subject = ?`,
			id.Issuer, id.Subject, subject))
	}))
}
