package session

import (
	"time"

	"github.com/google/uuid"
)

const (
	// rememberEnded is how long an ended session is known to have ended; as
	// long as the cache keeps revocations for a fail-over of the store.
	rememberEnded = time.Hour
	// moment is how long "unknown" and "suspended" are not asked again.
	moment = time.Second
	// maxMoments and maxSubjects bound what is remembered of them.
	maxMoments  = 4096
	maxSubjects = 1024
)

// ending is why a session is not served.
type ending int

const (
	revoked   ending = iota + 1 // for good
	expired                     // for good
	unknown                     // there is no row
	suspended                   // while the subject is
	refused                     // while this node's configuration does
)

// momentary reports whether the store is to be asked again after a moment.
func (e ending) momentary() bool { return e == unknown || e == suspended || e == refused }

func (e ending) err() error {
	switch e {
	case unknown:
		return errUnknown
	case suspended:
		return errSuspended
	case refused:
		return errRefused
	default:
		return errEnded
	}
}

// endings remembers what has ended, within bounds. Manager.mu guards it.
type endings struct {
	// generation counts what was learnt from outside. A load notes it before
	// it asks the store.
	generation uint64
	// floor is the generation below which a load is not to be believed,
	// because something was forgotten that might concern it.
	floor uint64

	tombs map[uuid.UUID]tomb
	order []uuid.UUID // of tombs, oldest first
	limit int

	moments  map[uuid.UUID]tomb
	subjects map[string]uint64 // generation of the last announcement
}

type tomb struct {
	why        ending
	at         time.Duration
	generation uint64
	// confirmed: that it has ended is stored and was announced, by this node.
	confirmed bool
}

func newEndings(limit int) endings {
	return endings{
		tombs:    make(map[uuid.UUID]tomb),
		limit:    limit,
		moments:  make(map[uuid.UUID]tomb),
		subjects: make(map[string]uint64),
	}
}

// add remembers that a session has ended, as was known at that time.
func (s *endings) add(id uuid.UUID, why ending, at time.Duration) {
	s.generation++
	if why.momentary() {
		if len(s.moments) >= maxMoments {
			clear(s.moments)
		}
		s.moments[id] = tomb{why: why, at: at, generation: s.generation}
		return
	}
	if old, again := s.tombs[id]; again {
		if why == revoked && old.why != revoked {
			old.why = revoked
			s.tombs[id] = old
		}
		return
	}
	if len(s.order) >= s.limit {
		s.forget(1)
	}
	s.tombs[id] = tomb{why: why, at: at, generation: s.generation}
	s.order = append(s.order, id)
}

// confirm remembers of an ended session that nothing is left to be done.
func (s *endings) confirm(id uuid.UUID) {
	if t, ok := s.tombs[id]; ok {
		t.confirmed = true
		s.tombs[id] = t
	}
}

// of is why a session is not to be looked for, or 0.
func (s *endings) of(id uuid.UUID, now time.Duration) ending {
	if t, ok := s.tombs[id]; ok {
		return t.why
	}
	if t, ok := s.moments[id]; ok && now-t.at < moment {
		return t.why
	}
	return 0
}

// subject remembers that loads of a subject which began before are void.
func (s *endings) subject(subject string) {
	s.generation++
	if len(s.subjects) >= maxSubjects {
		clear(s.subjects)
		s.floor = s.generation
	}
	s.subjects[subject] = s.generation
}

// voids reports whether a load that began at a generation must be done again.
func (s *endings) voids(subject string, generation uint64) bool {
	return generation < s.floor || generation < s.subjects[subject]
}

// forget drops the n oldest tombstones.
func (s *endings) forget(n int) {
	for _, id := range s.order[:n] {
		s.floor = max(s.floor, s.tombs[id].generation)
		delete(s.tombs, id)
	}
	s.order = s.order[n:]
}

// expire forgets what is old.
func (s *endings) expire(now time.Duration) {
	n := 0
	for n < len(s.order) && now-s.tombs[s.order[n]].at >= rememberEnded {
		n++
	}
	if n > 0 {
		s.forget(n)
	}
	for id, t := range s.moments {
		if now-t.at >= moment {
			delete(s.moments, id)
		}
	}
}

// revocations are the sessions known to be revoked.
func (s *endings) revocations() []uuid.UUID {
	var ids []uuid.UUID
	for id, t := range s.tombs {
		if t.why == revoked {
			ids = append(ids, id)
		}
	}
	return ids
}
