package redis

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
	replies, err := s.run(ctx, call{script: aliasSet, keys: []string{"a:" + alias}, args: []any{target, milliseconds(validity)}})
	if err != nil {
		return err
	}
	if number(replies[0]) == 0 {
		return cache.ErrExists
	}
	return nil
}

// Alias implements [cache.Flows].
func (s *Store) Alias(ctx context.Context, alias string) (string, error) {
	if err := cache.CheckKey(alias); err != nil {
		return "", err
	}
	replies, err := s.run(ctx, call{script: aliasRead, keys: []string{"a:" + alias}})
	if err != nil {
		return "", err
	}
	target, _ := replies[0].Text()
	if target == "" {
		return "", cache.ErrNotFound
	}
	return target, nil
}
