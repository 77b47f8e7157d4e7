package redis

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// Store is a [cache.Store] on Redis. Make one with [New].
type Store struct {
	client goredis.UniversalClient
	prefix string
	caps   cache.Caps
	logger *slog.Logger

	offset       atomic.Int64 // milliseconds that tests move the clock on by
	policyJudged atomic.Bool
	ruins        ruins
	heartbeat    time.Duration // how often a subscription is tried for life

	closing sync.Mutex      // held to begin a subscription or to close
	ending  context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup // subscriptions
}

// New returns a store that connects when it is first used, so that a
// configuration can be checked without a server. The error is about options.
func New(o Options) (*Store, error) {
	s := &Store{
		prefix:    cmp.Or(o.Prefix, DefaultPrefix),
		logger:    cmp.Or(o.Logger, slog.Default()),
		heartbeat: heartbeat,
		caps: cache.Caps{
			Owner:  cmp.Or(o.Caps.Owner, defaultOwnerCap),
			Global: cmp.Or(o.Caps.Global, defaultGlobalCap),
		},
	}
	client, err := o.client(s.judgePolicy)
	if err != nil {
		return nil, fmt.Errorf("configuring cache: %w", err)
	}
	s.client = client
	s.ending, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Ping implements [cache.Store].
func (s *Store) Ping(ctx context.Context) error {
	return s.failure(ctx, s.client.Ping(ctx).Err())
}

// Close ends the subscriptions, waits for them and closes the connections.
func (s *Store) Close() error {
	s.closing.Lock()
	s.end()
	s.closing.Unlock()
	s.running.Wait()
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("closing cache: %w", err)
	}
	return nil
}

// begin counts a subscription as running, unless the store is closed.
func (s *Store) begin() bool {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.ending.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

// failure says what an error of the client means to a caller.
func (s *Store) failure(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", cache.ErrUnavailable, ctx.Err())
	case goredis.HasErrorPrefix(err, "OOM"):
		return fmt.Errorf("redis is out of memory: %w", &cache.FullError{Cap: "global", Limit: s.caps.Global})
	}
	return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
}

// judgePolicy warns, once, when the server evicts keys under pressure. A server
// that does not tell is none to complain about.
func (s *Store) judgePolicy(ctx context.Context, conn *goredis.Conn) error {
	if s.policyJudged.Load() {
		return nil
	}
	info, err := conn.Info(ctx, "memory").Result()
	if err != nil || !s.policyJudged.CompareAndSwap(false, true) {
		return nil
	}
	_, rest, _ := strings.Cut(info, "maxmemory_policy:")
	policy, _, _ := strings.Cut(rest, "\r\n")
	if policy != "" && policy != "noeviction" {
		s.logger.WarnContext(ctx, "redis may evict sign-ins that are under way; set maxmemory-policy noeviction",
			slog.String("maxmemory_policy", policy))
	}
	return nil
}

var _ cache.Store = (*Store)(nil)
