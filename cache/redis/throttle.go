package redis

import (
	"context"
	"fmt"
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
	calls := make([]call, 0, len(counts))
	for _, c := range counts {
		if err := c.Check(); err != nil {
			return nil, err
		}
		calls = append(calls, call{script: counter, keys: []string{"t:" + c.Key}, args: []any{milliseconds(c.Window), add}})
	}
	if len(calls) == 0 {
		return nil, nil
	}
	replies, err := s.run(ctx, calls...)
	if err != nil {
		return nil, err
	}
	throttles := make([]cache.Throttle, 0, len(counts))
	for i, c := range counts {
		answer, err := replies[i].Int64Slice()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
		}
		if len(answer) != 2 {
			return nil, fmt.Errorf("%w: a counter has answered %d numbers", cache.ErrUnavailable, len(answer))
		}
		throttle := cache.Throttle{Count: int(answer[0])}
		if throttle.Count >= c.Limit {
			throttle.RetryAfter = time.Duration(answer[1]) * time.Millisecond
		}
		throttles = append(throttles, throttle)
	}
	return throttles, nil
}

// Forgive implements [cache.Throttles].
func (s *Store) Forgive(ctx context.Context, keys ...string) error {
	pipeline := s.client.Pipeline()
	for _, key := range keys {
		if err := cache.CheckCounter(key, time.Second); err != nil {
			return err
		}
		pipeline.Del(ctx, s.prefix+"t:"+key)
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := pipeline.Exec(ctx)
	return s.failure(ctx, err)
}

// Once implements [cache.Guards].
func (s *Store) Once(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if err := cache.CheckCounter(key, ttl); err != nil {
		return false, err
	}
	replies, err := s.run(ctx, call{script: guard, keys: []string{"g:" + key}, args: []any{milliseconds(ttl)}})
	if err != nil {
		return false, err
	}
	return number(replies[0]) == 1, nil
}
