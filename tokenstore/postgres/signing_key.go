package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	signingKeyColumns  = `id, algorithm, state, private, public, created_at, changed_at`
	selectSigningKeys  = `SELECT ` + signingKeyColumns + ` FROM signing_key ORDER BY seq`
	lockSigningKeys    = `SELECT pg_advisory_xact_lock($1)`
	selectKeyState     = `SELECT state FROM signing_key WHERE id = $1`
	selectKeyAlgorithm = `SELECT algorithm FROM signing_key WHERE id = $1 AND state = $2`
	selectKeyInState   = `SELECT id FROM signing_key WHERE algorithm = $1 AND state = $2`
	insertSigningKey   = `
		INSERT INTO signing_key (` + signingKeyColumns + `)
		SELECT $1, $2, $3, $4, $5, c.now, c.now FROM (SELECT {now} AS now) c
		RETURNING ` + signingKeyColumns
	moveSigningKey   = `UPDATE signing_key SET state = $2, changed_at = {now} WHERE id = $1`
	removeSigningKey = `
		UPDATE signing_key SET state = $2, changed_at = {now}, private = NULL WHERE id = $1 AND state = $3`
)

func scanSigningKey(row pgx.CollectableRow) (tokenstore.SigningKey, error) {
	var k tokenstore.SigningKey
	err := row.Scan(&k.ID, &k.Algorithm, &k.State, &k.Private, &k.Public, &k.CreatedAt, &k.ChangedAt)
	return k, err
}

// SigningKeys lists all keys, oldest first, and the store's clock.
func (s *Store) SigningKeys(ctx context.Context) ([]tokenstore.SigningKey, time.Time, error) {
	var keys []tokenstore.SigningKey
	var now time.Time
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var batch pgx.Batch
		batch.Queue(selectSigningKeys)
		batch.Queue(s.plain(`SELECT {now}`))
		results := s.pool.SendBatch(ctx, &batch)
		var err error
		if keys, err = readBatch(results, scanSigningKey); err != nil {
			return closeBatch(results, err)
		}
		return closeBatch(results, results.QueryRow().Scan(&now))
	})
	if err != nil {
		return nil, time.Time{}, wrap("listing signing keys", err)
	}
	return keys, now, nil
}

// keysTx does f in a transaction that no other change of signing keys runs
// beside.
func (s *Store) keysTx(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	return s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSigningKeys, signingKeyLock); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// AddSigningKey adds a pending key, active at once when its algorithm has no
// active one. Its times are the store's. [tokenstore.ErrExists]: there is a
// key of that id.
func (s *Store) AddSigningKey(ctx context.Context, k tokenstore.SigningKey) (tokenstore.SigningKey, error) {
	if err := k.Validate(); err != nil {
		return tokenstore.SigningKey{}, wrap("adding signing key", err)
	}
	var added tokenstore.SigningKey
	err := s.keysTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		switch _, err := one(ctx, tx, pgx.RowTo[string], selectKeyState, k.ID); {
		case err == nil:
			return tokenstore.ErrExists
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		pending, err := keyInState(ctx, tx, k.Algorithm, tokenstore.KeyPending)
		if err != nil {
			return err
		}
		if pending != "" {
			return tokenstore.ErrConflict
		}
		active, err := keyInState(ctx, tx, k.Algorithm, tokenstore.KeyActive)
		if err != nil {
			return err
		}
		state := tokenstore.KeyPending
		if active == "" {
			state = tokenstore.KeyActive
		}
		added, err = one(ctx, tx, scanSigningKey, s.plain(insertSigningKey),
			k.ID, k.Algorithm, string(state), k.Private, k.Public)
		return err
	})
	return added, wrap("adding signing key", err)
}

// keyInState is the id of an algorithm's key in a state, or "".
func keyInState(ctx context.Context, tx pgx.Tx, algorithm string, state tokenstore.KeyState) (string, error) {
	id, err := one(ctx, tx, pgx.RowTo[string], selectKeyInState, algorithm, string(state))
	if errors.Is(err, pgx.ErrNoRows) {
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
	return wrap("promoting signing key", s.keysTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		algorithm, err := one(ctx, tx, pgx.RowTo[string], selectKeyAlgorithm, to, string(tokenstore.KeyPending))
		if errors.Is(err, pgx.ErrNoRows) {
			return tokenstore.ErrConflict
		}
		if err != nil {
			return err
		}
		active, err := keyInState(ctx, tx, algorithm, tokenstore.KeyActive)
		if err != nil {
			return err
		}
		if active != from {
			return tokenstore.ErrConflict
		}
		if _, err := tx.Exec(ctx, s.plain(moveSigningKey), from, string(tokenstore.KeyRetired)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.plain(moveSigningKey), to, string(tokenstore.KeyActive))
		return err
	}))
}

// RemoveSigningKey makes a retired key gone and forgets its private part.
func (s *Store) RemoveSigningKey(ctx context.Context, id string) error {
	if err := tokenstore.ValidateText("key id", id); err != nil {
		return wrap("removing signing key", err)
	}
	return wrap("removing signing key", s.try(ctx, once, func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, s.plain(removeSigningKey), id, string(tokenstore.KeyGone), string(tokenstore.KeyRetired))
		return affected(tag, err, tokenstore.ErrConflict)
	}))
}

var _ tokenstore.SigningKeys = (*Store)(nil)
