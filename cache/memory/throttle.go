package memory

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// Peek implements [cache.Throttles].
func (s *Store) Peek(ctx context.Context, counts ...cache.Count) ([]cache.Throttle, error) {
	return s.count(ctx, counts, 0)
}

// Add implements [cache.Throttles].
func (s *Store) Add(ctx context.Context, counts ...cache.Count) ([]cache.Throttle, error) {
	return s.count(ctx, counts, 1)
}

func (s *Store) count(ctx context.Context, counts []cache.Count, add int) ([]cache.Throttle, error) {
	for _, c := range counts {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	throttles := make([]cache.Throttle, 0, len(counts))
	for _, c := range counts {
		it, ok := s.counters.get(c.Key)
		if !ok && add == 0 {
			throttles = append(throttles, cache.Throttle{})
			continue
		}
		if !ok {
			if err := s.room(s.counters.len()); err != nil {
				return nil, err
			}
			it = s.counters.put(c.Key, now.Add(c.Window), 0)
		}
		it.value += add
		throttle := cache.Throttle{Count: it.value}
		if it.value >= c.Limit {
			throttle.RetryAfter = it.due.Sub(now)
		}
		throttles = append(throttles, throttle)
	}
	return throttles, nil
}

// Forgive implements [cache.Throttles].
func (s *Store) Forgive(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := cache.CheckCounter(key, time.Second); err != nil {
			return err
		}
	}
	if _, err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, key := range keys {
		if it, ok := s.counters.get(key); ok {
			s.counters.remove(it)
		}
	}
	return nil
}

// Once implements [cache.Guards].
func (s *Store) Once(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if err := cache.CheckCounter(key, ttl); err != nil {
		return false, err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	if _, ok := s.guards.get(key); ok {
		return false, nil
	}
	if err := s.room(s.guards.len()); err != nil {
		return false, err
	}
	s.guards.put(key, now.Add(ttl), struct{}{})
	return true, nil
}
