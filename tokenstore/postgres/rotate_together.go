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

const (
	// rotationsAtOnce is how many rotations, or batches of them, a node has at
	// the database at once. Beyond that they wait for the next batch, which
	// costs the server one commit instead of one for each.
	rotationsAtOnce = 4
	// maxTogether bounds a batch.
	maxTogether = 64
	// patience is how long a session that somebody else has locked can hold up
	// others: then its batch gives up, and each of it goes by itself, or the
	// place is given to the next.
	patience = 100 * time.Millisecond
)

// setLockTimeout holds for the transaction, which the batch is.
const setLockTimeout = `SELECT set_config('lock_timeout', $1, true)`

// rotations sends those that wait at the same time in one round trip. Nobody
// waits for company: while there is room, each goes by itself.
type rotations struct {
	mu      sync.Mutex
	sent    int
	waiting []*waitingRotation
}

// waitingRotation is one that goes with the next batch, unless whoever asked
// for it has gone: done later, it would be a rotation that nobody learned of.
type waitingRotation struct {
	tokenstore.Rotation
	ctx  context.Context
	row  storedSession
	err  error
	done chan struct{}
}

// enter reports whether the caller may send its rotation now, and must leave
// afterwards. Else its turn comes, with others, when w.done is closed.
func (q *rotations) enter(w *waitingRotation) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sent < rotationsAtOnce {
		q.sent++
		return true
	}
	q.waiting = append(q.waiting, w)
	return false
}

// leave gives the place to those that wait: their batch, or nil.
func (q *rotations) leave() []*waitingRotation {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waitingRotation) bool { return w.ctx.Err() != nil })
	n := min(len(q.waiting), maxTogether)
	if n == 0 {
		q.sent--
		return nil
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// rotateTogether is rotateBy(rotateCurrent), by itself or with those that wait.
func (s *Store) rotateTogether(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	if r.Grace < repeatableGrace { // must not be sent twice
		return s.rotateBy(ctx, rotateCurrent, r)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	w := &waitingRotation{Rotation: r, ctx: ctx, done: make(chan struct{})}
	if s.rotations.enter(w) {
		leave := sync.OnceFunc(func() { s.leaveRotations(ctx) })
		defer time.AfterFunc(patience, leave).Stop()
		defer leave()
		return s.rotateBy(ctx, rotateCurrent, r)
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
	for _, w := range batch {
		b.Queue(s.text(statement{template: rotateCurrent, session: monthOf(w.ID)}), w.arguments()...)
	}
	results := s.pool.SendBatch(ctx, &b)
	_, err := results.Exec()
	for _, w := range batch {
		if err != nil {
			break
		}
		rows, failed := results.Query()
		if failed != nil {
			err = failed
			break
		}
		w.row, w.err = pgx.CollectOneRow(rows, scanSession)
		if w.err != nil && !errors.Is(w.err, pgx.ErrNoRows) {
			err = w.err
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

func (w *waitingRotation) arguments() []any {
	return []any{[16]byte(w.ID), int64(w.Generation), notNull(w.SecretHash), w.ClientID, w.Cnf}
}
