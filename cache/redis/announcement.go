package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// keepRevocations is how long RecentRevocations knows a session.
const keepRevocations = time.Hour

// The announcements' keys share a slot, so that one script can write both.
const (
	recentKey = "{announce}:recent"
	numberKey = "{announce}:number"
)

// channel has the keys' slot too: a Cluster's client subscribes at the node of
// the channel's slot, which is then the node that publishes. Announcements need
// not cross the cluster's bus, which drops what a broken link cannot carry.
func (s *Store) channel() string { return s.prefix + "{announce}" }

// Announce implements [cache.Announcements].
func (s *Store) Announce(ctx context.Context, a cache.Announcement) error {
	args := make([]any, 0, 3+len(a.Sessions))
	args = append(args, s.channel(), encode(a), milliseconds(keepRevocations))
	for _, session := range a.Sessions {
		args = append(args, session[:])
	}
	_, err := s.run(ctx, call{script: announce, keys: []string{recentKey, numberKey}, args: args})
	return err
}

// RecentRevocations implements [cache.Announcements].
func (s *Store) RecentRevocations(ctx context.Context) ([]uuid.UUID, error) {
	replies, err := s.run(ctx, call{script: recent, keys: []string{recentKey}, args: []any{milliseconds(keepRevocations)}})
	if err != nil {
		return nil, err
	}
	members, err := replies[0].StringSlice()
	if err != nil {
		return nil, fmt.Errorf("%w: recent revocations: %w", cache.ErrUnavailable, err)
	}
	sessions := make([]uuid.UUID, 0, len(members))
	for _, member := range members {
		session, err := uuid.FromBytes([]byte(member))
		if err != nil {
			return nil, fmt.Errorf("%w: recent revocations: %w", cache.ErrUnavailable, err)
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}
