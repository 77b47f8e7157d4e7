package postgres

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const selectIdentity = `
	SELECT sub.id, sub.created_at, sub.suspended_at
	FROM identity i JOIN subject sub ON sub.id = i.sub
	WHERE i.issuer = $1 AND i.external = $2`

// FindSubject returns the subject of an identity, or
// [tokenstore.ErrNotFound].
func (s *Store) FindSubject(ctx context.Context, id tokenstore.Identity) (tokenstore.Subject, error) {
	if err := id.Validate(); err != nil {
		return tokenstore.Subject{}, wrap("finding subject", err)
	}
	sub, err := s.readSubject(ctx, selectIdentity, id.Issuer, id.Subject)
	return sub, wrap("finding subject", err)
}

// Identities lists the identities of a subject, oldest first.
func (s *Store) Identities(ctx context.Context, subject string) ([]tokenstore.Identity, error) {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return nil, wrap("listing identities", err)
	}
	var list []tokenstore.Identity
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		list, err = all(ctx, s.pool, func(row pgx.CollectableRow) (id tokenstore.Identity, err error) {
			err = row.Scan(&id.Issuer, &id.Subject)
			return id, err
		}, `SELECT issuer, external FROM identity WHERE sub = $1 ORDER BY seq`, subject)
		return err
	})
	return list, wrap("listing identities", err)
}

const (
	insertLink = `
		INSERT INTO identity (issuer, external, sub)
		SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM identity WHERE sub = $3 AND issuer = $1)
		ON CONFLICT (issuer, external) DO NOTHING`
	selectOwner = `SELECT sub FROM identity WHERE issuer = $1 AND external = $2`
	// Who links or unlinks another one of the same subject waits, and then sees what
	// has become of this one.
	lockSubject = `SELECT FROM subject WHERE id = $1 FOR UPDATE`
)

// Link adds an identity to a subject. [tokenstore.ErrExists] when it belongs
// to another subject, [tokenstore.ErrConflict] when the subject has another one of the
// issuer, [tokenstore.ErrNotFound] when there is no such subject.
func (s *Store) Link(ctx context.Context, subject string, id tokenstore.Identity) error {
	if err := cmp.Or(tokenstore.ValidateSubject(subject), id.Validate()); err != nil {
		return wrap("linking identity", err)
	}
	return wrap("linking identity", s.try(ctx, repeatable, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return link(ctx, tx, subject, id) })
	}))
}

func link(ctx context.Context, tx pgx.Tx, subject string, id tokenstore.Identity) error {
	tag, err := tx.Exec(ctx, lockSubject, subject)
	if err := affected(tag, err, tokenstore.ErrNotFound); err != nil {
		return err
	}
	tag, err = tx.Exec(ctx, insertLink, id.Issuer, id.Subject, subject)
	if err != nil || tag.RowsAffected() == 1 {
		return err
	}
	var owner string
	err = tx.QueryRow(ctx, selectOwner, id.Issuer, id.Subject).Scan(&owner)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return tokenstore.ErrConflict
	case err != nil:
		return err
	case owner != subject:
		return tokenstore.ErrExists
	}
	return nil
}

// Unlink removes an identity of a subject, or answers
// [tokenstore.ErrNotFound].
func (s *Store) Unlink(ctx context.Context, subject string, id tokenstore.Identity) error {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), id.Validate()); err != nil {
		return wrap("unlinking identity", err)
	}
	return wrap("unlinking identity", s.try(ctx, once, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lockSubject, subject); err != nil {
				return err
			}
			var has, others bool
			err := tx.QueryRow(ctx, `
				SELECT EXISTS (SELECT FROM identity WHERE sub = $3 AND issuer = $1 AND external = $2),
					EXISTS (SELECT FROM identity WHERE sub = $3 AND (issuer, external) <> ($1, $2))`,
				id.Issuer, id.Subject, subject).Scan(&has, &others)
			switch {
			case err != nil:
				return err
			case !has:
				return tokenstore.ErrNotFound
			case !others:
				return tokenstore.ErrConflict
			}
			tag, err := tx.Exec(ctx, `DELETE FROM identity WHERE issuer = $1 AND external = $2 AND sub = $3`,
				id.Issuer, id.Subject, subject)
			return affected(tag, err, tokenstore.ErrNotFound)
		})
	}))
}
