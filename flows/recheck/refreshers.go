package recheck

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// maxRefreshers bounds the people that are remembered for having refreshed a token.
// Those beyond it are asked about when they refresh the next time.
const maxRefreshers = 50_000

// refreshers are the people for whom a client has refreshed a token here. Their
// provider is asked about them as about those whose sessions are used: a client that
// does nothing but refresh must not outlive its user there.
type refreshers struct {
	mu   sync.Mutex
	last map[person]refresher
}

type refresher struct {
	id *identity.Identity
	at time.Time
}

// Note remembers that a client has refreshed a person's token.
func (w *Worker) Note(id *identity.Identity) {
	if w.Vault.Rechecks(id.Issuer) {
		w.refreshers.note(id, w.Now())
	}
}

func (r *refreshers) note(id *identity.Identity, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := person{id.Subject, id.Issuer}
	if _, known := r.last[key]; !known && len(r.last) >= maxRefreshers {
		return
	}
	if r.last == nil {
		r.last = make(map[person]refresher)
	}
	r.last[key] = refresher{id, now}
}

// since returns those who have refreshed since a time, and forgets the others.
func (r *refreshers) since(since time.Time) []*identity.Identity {
	r.mu.Lock()
	defer r.mu.Unlock()
	people := make([]*identity.Identity, 0, len(r.last))
	for key, one := range r.last {
		if one.at.Before(since) {
			delete(r.last, key)
			continue
		}
		people = append(people, one.id)
	}
	return people
}
