package memory

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// SetAlias implements [cache.Flows].
func (s *Store) SetAlias(ctx context.Context, alias, target string, validity time.Duration) error {
	if err := cache.CheckAlias(alias, target, validity); err != nil {
		return err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.aliases.get(alias); ok {
		return cache.ErrExists
	}
	if err := s.room(s.aliases.len()); err != nil {
		return err
	}
	s.aliases.put(alias, now.Add(validity), target)
	return nil
}

// Alias implements [cache.Flows].
func (s *Store) Alias(ctx context.Context, alias string) (string, error) {
	if err := cache.CheckKey(alias); err != nil {
		return "", err
	}
	if _, err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	it, ok := s.aliases.get(alias)
	if !ok {
		return "", cache.ErrNotFound
	}
	return it.value, nil
}
