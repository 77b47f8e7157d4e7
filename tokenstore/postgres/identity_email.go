package postgres

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	upsertIdentityEmail = `
		INSERT INTO identity_email AS e (issuer, external, mac) VALUES ($1, $2, $3)
		ON CONFLICT (issuer, external) DO UPDATE SET mac = excluded.mac WHERE e.mac <> excluded.mac`
	hasIdentityEmail = `
		SELECT EXISTS (
			SELECT FROM identity_email e JOIN identity i ON i.issuer = e.issuer AND i.external = e.external
			WHERE e.mac = ANY ($1))`
)

// SetIdentityEmail notes the MAC of an identity's verified address.
func (s *Store) SetIdentityEmail(ctx context.Context, id tokenstore.Identity, mac []byte) error {
	if err := tokenstore.ValidateIdentityEmail(id, mac); err != nil {
		return wrap("noting an address", err)
	}
	return wrap("noting an address", s.try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, upsertIdentityEmail, id.Issuer, id.Subject, mac)
		return err
	}))
}

// HasIdentityEmail reports whether an identity of a subject has one of these MACs.
func (s *Store) HasIdentityEmail(ctx context.Context, macs [][]byte) (bool, error) {
	var has bool
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, hasIdentityEmail, notNil(macs)).Scan(&has)
	})
	return has, wrap("looking for an address", err)
}
