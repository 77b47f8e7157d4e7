package sqlite

import (
	"context"
	"database/sql"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// SetIdentityEmail notes the MAC of an identity's verified address.
func (s *Store) SetIdentityEmail(ctx context.Context, id tokenstore.Identity, mac []byte) error {
	if err := tokenstore.ValidateIdentityEmail(id, mac); err != nil {
		return wrap("noting an address", err)
	}
	return wrap("noting an address", s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `
			INSERT INTO identity_email (issuer, external, mac) VALUES (?, ?, ?)
			ON CONFLICT (issuer, external) DO UPDATE SET mac = excluded.mac`, id.Issuer, id.Subject, mac)
		return err
	}))
}

// HasIdentityEmail reports whether an identity of a subject has one of these MACs.
func (s *Store) HasIdentityEmail(ctx context.Context, macs [][]byte) (bool, error) {
	for _, mac := range macs {
		has, err := s.hasIdentityEmail(ctx, mac)
		if has || err != nil {
			return has, wrap("looking for an address", err)
		}
	}
	_, err := s.read(ctx)
	return false, wrap("looking for an address", err)
}

func (s *Store) hasIdentityEmail(ctx context.Context, mac []byte) (bool, error) {
	q, err := s.read(ctx)
	if err != nil {
		return false, err
	}
	return one(ctx, q, func(row scanner) (bool, error) {
		var has sql.NullBool
		err := row.Scan(&has)
		return has.Bool, err
	}, `
		SELECT EXISTS (
			SELECT 1 FROM identity_email e JOIN identity i ON i.issuer = e.issuer AND i.external = e.external
			WHERE e.mac = ?)`, mac)
}
