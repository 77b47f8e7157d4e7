package vault

import (
	"context"
	"errors"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// maxWaiting bounds the refreshes for less that wait for one row: clients choose what
// they are for.
const maxWaiting = 8

// turns have the refreshes for less of one row take turns in this process, and let the
// refresh of its own token go first. They all need the row's lease, and each moves its
// version on: without turns, nobody else would get to it.
type turns struct {
	mu sync.Mutex
	of map[rowKey]*turn
}

type rowKey struct{ subject, issuer string }

// turn is of one row, as long as somebody wants it.
type turn struct {
	own, waiting int
	busy         bool
	changed      chan struct{} // closed when somebody has done
}

func keyOf(row tokenstore.ProviderToken) rowKey { return rowKey{row.Subject, row.Provider} }

// at is a row's turn. The caller has the lock.
func (t *turns) at(key rowKey) *turn {
	if t.of == nil {
		t.of = make(map[rowKey]*turn)
	}
	if t.of[key] == nil {
		t.of[key] = &turn{changed: make(chan struct{})}
	}
	return t.of[key]
}

// leave tells those who wait that something has changed. The caller has the lock.
func (t *turns) leave(key rowKey, w *turn) {
	close(w.changed)
	w.changed = make(chan struct{})
	t.tidy(key, w)
}

func (t *turns) tidy(key rowKey, w *turn) {
	if w.own == 0 && w.waiting == 0 && !w.busy {
		delete(t.of, key)
	}
}

// first holds back the refreshes for less until it is done.
func (t *turns) first(row tokenstore.ProviderToken) (done func()) {
	key := keyOf(row)
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.at(key)
	w.own++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		w.own--
		t.leave(key, w)
	}
}

// take waits for the turn of a refresh for less, for [Config.LeaseWait] at most, and
// returns the row as it is then. [*UnavailableError] if too many wait.
func (t *turns) take(ctx context.Context, v *Vault, row tokenstore.ProviderToken) (now tokenstore.ProviderToken, done func(), err error) {
	waited, err := t.wait(ctx, v, keyOf(row))
	if err != nil {
		return row, nil, err
	}
	done = func() { t.release(keyOf(row)) }
	if !waited {
		return row, done, nil
	}
	now, err = v.Store.ProviderToken(ctx, row.Subject, row.Provider)
	if err != nil {
		done()
	}
	return now, done, err
}

func (t *turns) wait(ctx context.Context, v *Vault, key rowKey) (waited bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, v.LeaseWait)
	defer cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.at(key)
	if w.waiting >= maxWaiting {
		return false, &UnavailableError{RetryAfter: firstBackoff, Err: errors.New("too many tokens for less are asked for at once")}
	}
	w.waiting++
	defer func() {
		w.waiting--
		t.tidy(key, w)
	}()
	for w.busy || w.own > 0 {
		waited = true
		changed := w.changed
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		t.mu.Lock()
		if ctx.Err() != nil {
			return true, &UnavailableError{RetryAfter: firstBackoff, Err: errors.New("other tokens of the same grant are being refreshed")}
		}
	}
	w.busy = true
	return waited, nil
}

func (t *turns) release(key rowKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.at(key)
	w.busy = false
	t.leave(key, w)
}
