package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const insertOutbox = `
	INSERT INTO outbox (id, kind, target, payload, attempts, not_by, due_at) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT DO NOTHING`

// Enqueue adds an entry to the outbox, due at once. [tokenstore.ErrExists]:
// the id is taken. A zero NotBy never gives up.
func (s *Store) Enqueue(ctx context.Context, e tokenstore.OutboxEntry) error {
	if err := e.Validate(); err != nil {
		return wrap("queueing outbox entry", err)
	}
	return wrap("queueing outbox entry", s.write(ctx, func(t *tx) error { return t.enqueue(ctx, e) }))
}

func (t *tx) enqueue(ctx context.Context, e tokenstore.OutboxEntry) error {
	n, err := t.exec(ctx, insertOutbox,
		e.ID[:], string(e.Kind), e.Target, e.Payload, e.Attempts, micros(e.NotBy), t.now.UnixMicro())
	if err == nil && n == 0 {
		return tokenstore.ErrExists
	}
	return err
}

// queueRevocation queues a token for revocation at its provider.
func (t *tx) queueRevocation(ctx context.Context, token tokenstore.ProviderToken) error {
	e, err := tokenstore.NewRevocation(token, t.now)
	if err != nil {
		return err
	}
	return t.enqueue(ctx, e)
}

// TakeOutbox hands out up to limit due entries (0: 100) of the given kinds, or
// of all, the longest due first.
func (s *Store) TakeOutbox(ctx context.Context, limit int, lease time.Duration, kinds ...tokenstore.OutboxKind) ([]tokenstore.OutboxEntry, error) {
	if err := tokenstore.ValidateTake(limit, kinds); err != nil {
		return nil, wrap("taking outbox entries", err)
	}
	q, err := s.read(ctx)
	if err != nil {
		return nil, wrap("taking outbox entries", err)
	}
	// The outbox is mostly empty, and that is no reason to take the lock.
	now := s.now().UnixMicro()
	ofKinds, kindArgs := anyOf(kinds)
	due, err := one(ctx, q, scanOne[bool], `SELECT EXISTS (SELECT 1 FROM outbox WHERE due_at <= ?`+ofKinds+`)`,
		append([]any{now}, kindArgs...)...)
	if err != nil || !due {
		return nil, wrap("taking outbox entries", err)
	}
	var taken []tokenstore.OutboxEntry
	err = s.write(ctx, func(t *tx) error {
		now := t.now.UnixMicro()
		var err error
		taken, err = all(ctx, t, scanOutbox, `
			UPDATE outbox SET attempts = attempts + 1, due_at = ?
			WHERE id IN (
				SELECT id FROM outbox WHERE due_at <= ? AND (not_by IS NULL OR not_by > ?)`+ofKinds+`
				ORDER BY due_at, id LIMIT ?)
			RETURNING id, kind, target, payload, attempts, not_by`,
			append(append([]any{now + lease.Microseconds(), now, now}, kindArgs...), cmp.Or(limit, tokenstore.DefaultPage))...)
		return err
	})
	return taken, wrap("taking outbox entries", err)
}

// anyOf is the condition that an entry is of one of the kinds, with its
// arguments. No kinds are all.
func anyOf(kinds []tokenstore.OutboxKind) (string, []any) {
	if len(kinds) == 0 {
		return "", nil
	}
	args := make([]any, len(kinds))
	for i, k := range kinds {
		args[i] = string(k)
	}
	return " AND kind IN (?" + strings.Repeat(", ?", len(kinds)-1) + ")", args
}

func scanOutbox(row scanner) (tokenstore.OutboxEntry, error) {
	var e tokenstore.OutboxEntry
	var notBy sql.NullInt64
	err := row.Scan(&e.ID, &e.Kind, &e.Target, &e.Payload, &e.Attempts, &notBy)
	e.NotBy = instant(notBy)
	return e, err
}

// FinishOutbox removes an entry, or with again > 0 has it handed out again
// after that time. An entry that is gone already is no error.
func (s *Store) FinishOutbox(ctx context.Context, id uuid.UUID, again time.Duration) error {
	return wrap("finishing outbox entry", s.write(ctx, func(t *tx) error {
		if again > 0 {
			_, err := t.exec(ctx, `UPDATE outbox SET due_at = ? WHERE id = ?`, t.now.Add(again).UnixMicro(), id[:])
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM outbox WHERE id = ?`, id[:])
		return err
	}))
}
