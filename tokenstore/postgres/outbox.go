package postgres

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	insertOutbox = `
		INSERT INTO outbox (id, kind, target, payload, attempts, not_by, due_at) VALUES ($1, $2, $3, $4, $5, $6, {now})
		ON CONFLICT (id) DO NOTHING`
	takeOutbox = `
		UPDATE outbox SET attempts = attempts + 1, due_at = {now} + $2::bigint * interval '1 microsecond'
		WHERE id = ANY (ARRAY(
			SELECT id FROM outbox WHERE due_at <= {now} AND (not_by IS NULL OR not_by > {now})
				AND (cardinality($3::text[]) = 0 OR kind = ANY ($3))
			ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED))
		RETURNING id, kind, target, payload, attempts, not_by`
	postponeOutbox = `UPDATE outbox SET due_at = {now} + $2::bigint * interval '1 microsecond' WHERE id = $1`
	deleteOutbox   = `DELETE FROM outbox WHERE id = $1`
)

// Enqueue adds an entry to the outbox, due at once. [tokenstore.ErrExists]:
// the id is taken. A zero NotBy never gives up.
func (s *Store) Enqueue(ctx context.Context, e tokenstore.OutboxEntry) error {
	if err := e.Validate(); err != nil {
		return wrap("queueing outbox entry", err)
	}
	return wrap("queueing outbox entry", s.try(ctx, once, func(ctx context.Context) error {
		return s.enqueue(ctx, s.pool, e)
	}))
}

func (s *Store) enqueue(ctx context.Context, q querier, e tokenstore.OutboxEntry) error {
	tag, err := q.Exec(ctx, s.plain(insertOutbox),
		[16]byte(e.ID), string(e.Kind), e.Target, e.Payload, int64(e.Attempts), zeronull.Timestamptz(e.NotBy))
	return affected(tag, err, tokenstore.ErrExists)
}

// queueRevocation queues a token for revocation at its provider.
func (s *Store) queueRevocation(ctx context.Context, q querier, token tokenstore.ProviderToken, now time.Time) error {
	e, err := tokenstore.NewRevocation(token, now)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, q, e)
}

// TakeOutbox hands out up to limit due entries (0: 100) of the given kinds, or
// of all, those longest due, the oldest first.
func (s *Store) TakeOutbox(ctx context.Context, limit int, lease time.Duration, kinds ...tokenstore.OutboxKind) ([]tokenstore.OutboxEntry, error) {
	if err := tokenstore.ValidateTake(limit, kinds); err != nil {
		return nil, wrap("taking outbox entries", err)
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	var taken []tokenstore.OutboxEntry
	err := s.try(ctx, once, func(ctx context.Context) error {
		var err error
		taken, err = all(ctx, s.pool, scanOutbox, s.plain(takeOutbox), cmp.Or(limit, tokenstore.DefaultPage), lease.Microseconds(), names)
		return err
	})
	slices.SortFunc(taken, func(a, b tokenstore.OutboxEntry) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return taken, wrap("taking outbox entries", err)
}

func scanOutbox(row pgx.CollectableRow) (tokenstore.OutboxEntry, error) {
	var e tokenstore.OutboxEntry
	err := row.Scan((*[16]byte)(&e.ID), &e.Kind, &e.Target, &e.Payload, &e.Attempts, (*zeronull.Timestamptz)(&e.NotBy))
	return e, err
}

// FinishOutbox removes an entry, or with again > 0 has it handed out again
// after that time. An entry that is gone already is no error.
func (s *Store) FinishOutbox(ctx context.Context, id uuid.UUID, again time.Duration) error {
	return wrap("finishing outbox entry", s.try(ctx, repeatable, func(ctx context.Context) error {
		if again > 0 {
			_, err := s.pool.Exec(ctx, s.plain(postponeOutbox), [16]byte(id), again.Microseconds())
			return err
		}
		_, err := s.pool.Exec(ctx, deleteOutbox, [16]byte(id))
		return err
	}))
}
