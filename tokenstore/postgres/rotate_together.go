package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// patience is how long a session that somebody else has locked can hold up
// others: then its batch gives up, and each of it goes by itself, or the place
// is given to the next.
const patience = 100 * time.Millisecond

const (
	// setLockTimeout holds for the transaction, which the batch is.
	setLockTimeout = `SELECT set_config('lock_timeout', $1, true)`

	// rotateMany is [rotateCurrent] for many sessions of a month. The rows come
	// back with their place in the arrays, from 1.
	rotateMany = `
		UPDATE {session} AS s SET gen = r.gen + 1, rotated_before = s.rotated_at, rotated_at = {now}
		FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::text[], $5::text[])
			WITH ORDINALITY AS r (id, gen, secret_hash, client_id, cnf, place)
		WHERE s.id = r.id AND s.secret_hash = r.secret_hash AND s.client_id = r.client_id AND s.cnf = r.cnf
			AND ` + liveSession + ` AND s.gen = r.gen` + rotateReturning + `, r.place`
)

// rotateTogether is rotateBy(rotateCurrent), by itself or with those that wait.
func (s *Store) rotateTogether(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	if r.Grace < repeatableGrace || s.isAbsent(monthOf(r.ID)) { // must not be sent twice, or would fail the others
		return s.rotateBy(ctx, rotateCurrent, r)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	w := &waitingRotation{Rotation: r, ctx: ctx, done: make(chan struct{})}
	now, timer := s.rotations.enter(w)
	if now {
		leave := sync.OnceFunc(func() { s.leaveRotations(ctx) })
		defer time.AfterFunc(patience, leave).Stop()
		defer leave()
		return s.rotateBy(ctx, rotateCurrent, r)
	}
	if timer {
		time.AfterFunc(company, func() { s.rotateBatches(context.WithoutCancel(ctx), s.rotations.hurry()) })
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return tokenstore.RotationResult{}, translate(ctx, ctx.Err())
	}
	if w.err != nil && !errors.Is(w.err, pgx.ErrNoRows) && !isConnecting(w.err) {
		// One that failed took all others of its batch with it.
		return s.rotateBy(ctx, rotateCurrent, r)
	}
	if w.err != nil {
		return tokenstore.RotationResult{}, translate(ctx, w.err)
	}
	return tokenstore.RotationResult{Session: w.row.Session, PreviousRotatedAt: w.row.rotatedBefore}, nil
}

// isAbsent reports whether a month had no table when a statement last looked: a
// refresh token of a month that was removed, sent again and again, would fail
// every batch. Its rotations go by themselves, and the first that finds a table
// has the others go together again.
func (s *Store) isAbsent(m month) bool {
	_, found := s.absent.Load(m)
	return found
}

func (s *Store) leaveRotations(ctx context.Context) {
	if batch := s.rotations.leave(); batch != nil {
		go s.rotateBatches(context.WithoutCancel(ctx), batch)
	}
}

// rotateBatches sends a batch, and then those that came to wait meanwhile.
func (s *Store) rotateBatches(ctx context.Context, batch []*waitingRotation) {
	for batch != nil {
		s.rotateBatch(ctx, batch)
		batch = s.rotations.leave()
	}
}

func (s *Store) rotateBatch(ctx context.Context, batch []*waitingRotation) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// In the order of their ids, so that two batches cannot wait for each other.
	slices.SortFunc(batch, func(a, b *waitingRotation) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	var b pgx.Batch
	b.Queue(setLockTimeout, strconv.FormatInt(patience.Milliseconds(), 10))
	var months []*rotationsOfMonth
	for _, w := range batch {
		w.err = pgx.ErrNoRows // unless its row comes back
		month := monthOf(w.ID)
		if len(months) == 0 || months[len(months)-1].month != month {
			months = append(months, &rotationsOfMonth{month: month})
		}
		months[len(months)-1].add(w)
	}
	for _, m := range months {
		b.Queue(s.text(statement{template: rotateMany, session: m.month}), m.arguments()...)
	}
	results := s.pool.SendBatch(ctx, &b)
	_, err := results.Exec()
	for _, m := range months {
		if err == nil {
			err = m.read(results)
		}
	}
	err = closeBatch(results, err)
	for _, w := range batch {
		if err != nil {
			w.err = err // nothing was committed, or nobody knows
		}
		close(w.done)
	}
}

// rotationsOfMonth are those of a batch whose sessions are in one table.
type rotationsOfMonth struct {
	month                  month
	rotations              []*waitingRotation
	ids                    [][16]byte
	generations            []int64
	secretHashes           [][]byte
	clientIDs, keyBindings []string
}

func (m *rotationsOfMonth) add(w *waitingRotation) {
	m.rotations = append(m.rotations, w)
	m.ids = append(m.ids, w.ID)
	m.generations = append(m.generations, int64(w.Generation))
	m.secretHashes = append(m.secretHashes, notNull(w.SecretHash))
	m.clientIDs = append(m.clientIDs, w.ClientID)
	m.keyBindings = append(m.keyBindings, w.Cnf)
}

func (m *rotationsOfMonth) arguments() []any {
	return []any{m.ids, m.generations, m.secretHashes, m.clientIDs, m.keyBindings}
}

// read gives each rotation the row that came back for it.
func (m *rotationsOfMonth) read(results pgx.BatchResults) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var place int64
		row, err := scanSessionAnd(rows, &place)
		if err != nil {
			return err
		}
		w := m.rotations[place-1]
		w.row, w.err = row, nil
	}
	return rows.Err()
}
