package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// backlog is how many announcements a subscriber may be behind. One that is
// further behind loses the rest and learns of the gap.
const backlog = 1024

// keepRevocations is how long RecentRevocations knows a session.
const keepRevocations = time.Hour

type subscriber struct {
	cancel context.CancelFunc
	queue  chan cache.Announcement
	lost   chan struct{} // capacity 1
}

// Announce implements [cache.Announcements].
func (s *Store) Announce(ctx context.Context, a cache.Announcement) error {
	now, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, session := range a.Sessions {
		s.revoked.add(session, now)
	}
	for sub := range s.subscribers {
		select {
		case sub.queue <- clone(a):
		default:
			select {
			case sub.lost <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

func clone(a cache.Announcement) cache.Announcement {
	return cache.Announcement{
		Sessions: slices.Clone(a.Sessions),
		Subjects: slices.Clone(a.Subjects),
		TokenIDs: slices.Clone(a.TokenIDs),
	}
}

// Subscribe implements [cache.Announcements]. There is no connection to lose:
// gap is called only when the callbacks are so slow that announcements had to
// be dropped.
func (s *Store) Subscribe(ctx context.Context, receive func(cache.Announcement), gap func()) error {
	if _, err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	sub := &subscriber{
		cancel: cancel,
		queue:  make(chan cache.Announcement, backlog),
		lost:   make(chan struct{}, 1),
	}
	s.subscribers[sub] = struct{}{}
	s.running.Go(func() {
		defer s.unsubscribe(sub)
		for {
			select {
			case <-ctx.Done():
				return
			case <-sub.lost:
				gap()
			case a := <-sub.queue:
				receive(a)
			}
		}
	})
	return nil
}

func (s *Store) unsubscribe(sub *subscriber) {
	sub.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subscribers, sub)
}

// RecentRevocations implements [cache.Announcements].
func (s *Store) RecentRevocations(ctx context.Context) ([]uuid.UUID, error) {
	if _, err := s.enter(ctx); err != nil {
		return nil, fmt.Errorf("reading recent revocations: %w", err)
	}
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.revoked.at)), nil
}

type sessionID = uuid.UUID

// revocations are the sessions announced lately, and the order they came in.
type revocations struct {
	at    map[sessionID]time.Time
	order []revocation
}

type revocation struct {
	session sessionID
	at      time.Time
}

func (r *revocations) add(session sessionID, now time.Time) {
	r.at[session] = now
	r.order = append(r.order, revocation{session, now})
}

// expire forgets what is too old, but for what was announced again since.
func (r *revocations) expire(now time.Time) {
	for len(r.order) > 0 && now.Sub(r.order[0].at) >= keepRevocations {
		if old := r.order[0]; r.at[old.session].Equal(old.at) {
			delete(r.at, old.session)
		}
		r.order = r.order[1:]
	}
}
