package vault

import "time"

// SetLaterFor sets how long a vault tries in the background what a store that is
// away did not take.
func (v *Vault) SetLaterFor(d time.Duration) { v.laterFor = d }

// MaxWaiting is how many refreshes for less wait for one row.
const MaxWaiting = maxWaiting

// Waiting is how many refreshes for less wait for a row, and Own how many of its own
// token are wanted.
func (v *Vault) Waiting(subject, issuer string) int {
	return v.turns.count(rowKey{subject, issuer}, func(w *turn) int { return w.waiting })
}

// Own is how many refreshes of a row's own token are wanted.
func (v *Vault) Own(subject, issuer string) int {
	return v.turns.count(rowKey{subject, issuer}, func(w *turn) int { return w.own })
}

// Turns are the rows that somebody refreshes.
func (v *Vault) Turns() int {
	v.turns.mu.Lock()
	defer v.turns.mu.Unlock()
	return len(v.turns.of)
}

func (t *turns) count(key rowKey, of func(*turn) int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.of[key]; w != nil {
		return of(w)
	}
	return 0
}
