package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const signingKeyColumns = `id, algorithm, state, private, public, created_at, changed_at`

func scanSigningKey(row scanner) (tokenstore.SigningKey, error) {
	var k tokenstore.SigningKey
	var created, changed sql.NullInt64
	err := row.Scan(&k.ID, &k.Algorithm, &k.State, &k.Private, &k.Public, &created, &changed)
	k.CreatedAt, k.ChangedAt = instant(created), instant(changed)
	return k, err
}

// SigningKeys lists all keys, oldest first, and the store's clock.
func (s *Store) SigningKeys(ctx context.Context) ([]tokenstore.SigningKey, time.Time, error) {
	q, err := s.read(ctx)
	if err != nil {
		return nil, time.Time{}, wrap("listing signing keys", err)
	}
	now := s.now()
	keys, err := all(ctx, q, scanSigningKey, `SELECT `+signingKeyColumns+` FROM signing_key ORDER BY seq`)
	if err != nil {
		return nil, time.Time{}, wrap("listing signing keys", err)
	}
	return keys, now, nil
}

// AddSigningKey adds a pending key, active at once when its algorithm has no
// active one. Its times are the store's. [tokenstore.ErrExists]: there is a
// key of that id.
func (s *Store) AddSigningKey(ctx context.Context, k tokenstore.SigningKey) (tokenstore.SigningKey, error) {
	if err := k.Validate(); err != nil {
		return tokenstore.SigningKey{}, wrap("adding signing key", err)
	}
	var added tokenstore.SigningKey
	err := s.write(ctx, func(t *tx) error {
		switch _, err := one(ctx, t, scanOne[string], `SELECT id FROM signing_key WHERE id = ?`, k.ID); {
		case err == nil:
			return tokenstore.ErrExists
		case !errors.Is(err, tokenstore.ErrNotFound):
			return err
		}
		pending, err := t.keyInState(ctx, k.Algorithm, tokenstore.KeyPending)
		if err != nil {
			return err
		}
		if pending != "" {
			return tokenstore.ErrConflict
		}
		active, err := t.keyInState(ctx, k.Algorithm, tokenstore.KeyActive)
		if err != nil {
			return err
		}
		state := tokenstore.KeyPending
		if active == "" {
			state = tokenstore.KeyActive
		}
		now := t.now.UnixMicro()
		added, err = one(ctx, t, scanSigningKey, `
			INSERT INTO signing_key (`+signingKeyColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)
			RETURNING `+signingKeyColumns,
			k.ID, k.Algorithm, string(state), k.Private, k.Public, now, now)
		return err
	})
	return added, wrap("adding signing key", err)
}

// keyInState is the id of an algorithm's key in a state, or "".
func (t *tx) keyInState(ctx context.Context, algorithm string, state tokenstore.KeyState) (string, error) {
	id, err := one(ctx, t, scanOne[string],
		`SELECT id FROM signing_key WHERE algorithm = ? AND state = ?`, algorithm, string(state))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return "", nil
	}
	return id, err
}

// PromoteSigningKey makes a pending key active and the active one of its
// algorithm, which must be from, retired.
func (s *Store) PromoteSigningKey(ctx context.Context, from, to string) error {
	if err := cmp.Or(tokenstore.ValidateText("key id", from), tokenstore.ValidateRequired("key id", to)); err != nil {
		return wrap("promoting signing key", err)
	}
	return wrap("promoting signing key", s.write(ctx, func(t *tx) error {
		algorithm, err := one(ctx, t, scanOne[string],
			`SELECT algorithm FROM signing_key WHERE id = ? AND state = ?`, to, string(tokenstore.KeyPending))
		if errors.Is(err, tokenstore.ErrNotFound) {
			return tokenstore.ErrConflict
		}
		if err != nil {
			return err
		}
		active, err := t.keyInState(ctx, algorithm, tokenstore.KeyActive)
		if err != nil {
			return err
		}
		if active != from {
			return tokenstore.ErrConflict
		}
		if err := t.moveKey(ctx, from, tokenstore.KeyRetired); err != nil {
			return err
		}
		return t.moveKey(ctx, to, tokenstore.KeyActive)
	}))
}

func (t *tx) moveKey(ctx context.Context, id string, to tokenstore.KeyState) error {
	_, err := t.exec(ctx, `UPDATE signing_key SET state = ?, changed_at = ? WHERE id = ?`,
		string(to), t.now.UnixMicro(), id)
	return err
}

// RemoveSigningKey makes a retired key gone and forgets its private part.
func (s *Store) RemoveSigningKey(ctx context.Context, id string) error {
	if err := tokenstore.ValidateText("key id", id); err != nil {
		return wrap("removing signing key", err)
	}
	return wrap("removing signing key", s.write(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `
			UPDATE signing_key SET state = ?, changed_at = ?, private = NULL WHERE id = ? AND state = ?`,
			string(tokenstore.KeyGone), t.now.UnixMicro(), id, string(tokenstore.KeyRetired))
		if err == nil && n == 0 {
			return tokenstore.ErrConflict
		}
		return err
	}))
}
