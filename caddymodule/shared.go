package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// pool holds what outlives a configuration: the stores' connections, the
// sessions known here and the background work on them. On a reload the new
// configuration starts before the old one stops, so both use one entry.
var pool = caddy.NewUsagePool()

// shared is what configurations with the same stores and secrets share.
type shared struct {
	key      string
	store    tokenstore.Store
	cache    *sharedCache
	keys     *keyring.Keyring
	sessions *session.Manager
	tokens   *token.Keys  // that tokens are signed with
	log      *slog.Logger // to whichever logger is current
	logger   *atomic.Pointer[slog.Logger]
	bearers  tokenStreams
	flights  flights
	claimed  string // the claim's key in the pool, if there is one

	cancel context.CancelFunc
	done   sync.WaitGroup

	ready    atomic.Bool   // the token store is migrated
	migrated chan struct{} // closed when signing keys have been looked for, too
	lifetime atomic.Int64  // the longest session, for maintenance
	ahead    atomic.Int64  // months of partitions ahead

	mu      sync.Mutex
	apps    []*App // the configurations that use it, the newest last
	streams int    // that live
	unused  bool   // no configuration uses it any more

	closing sync.Once
	closed  error
}

// acquire returns the entry for an app's stores and secrets, made if need be.
// Nothing is dialled: a store that cannot be reached answers ErrUnavailable
// until it can.
func acquire(ctx context.Context, a *App, secrets []string) (*shared, error) {
	key := a.poolKey(secrets)
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		return newShared(ctx, a, key, secrets)
	})
	if err != nil {
		return nil, err
	}
	return value.(*shared), nil
}

func (a *App) poolKey(secrets []string) string {
	return hashed(append([]string{
		caddy.GetModuleID(a.tokenStore), a.tokenStore.Key(), caddy.GetModuleID(a.cache), a.cache.Key(), a.SigningKeys,
	}, secrets...)...)
}

// hashed makes a key of the pool: what it is made of holds secrets.
func hashed(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func newShared(ctx context.Context, a *App, key string, secrets []string) (*shared, error) {
	lasting := context.WithoutCancel(ctx) // ctx ends with this configuration
	current := new(atomic.Pointer[slog.Logger])
	current.Store(a.logger)
	log := slog.New(currentHandler{current: current})
	keys, err := keyring.New(rand.Reader, asBytes(secrets)...)
	if err != nil {
		return nil, err
	}
	store, err := a.tokenStore.OpenTokenStore(lasting, log)
	if err != nil {
		return nil, fmt.Errorf("opening token store: %w", err)
	}
	cache, err := acquireCache(lasting, a)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	sessions, err := session.New(session.Config{
		Store: store, Cache: cache, Keyring: keys,
		Now: time.Now, Random: rand.Reader, Logger: log,
		Settings: a.settings(),
	})
	if err != nil {
		return nil, errors.Join(err, store.Close(), cache.release())
	}
	background, cancel := context.WithCancel(lasting)
	s := &shared{
		key: key, store: store, cache: cache, keys: keys, sessions: sessions, log: log, logger: current, cancel: cancel,
		tokens: token.NewKeys(token.Config{Store: store, File: a.SigningKeys, Keyring: keys, Logger: log, Now: time.Now, Random: rand.Reader}),
	}
	s.lifetime.Store(int64(a.lifetime()))
	s.ahead.Store(-1)
	s.warnOfOthers(a)
	s.migrated = make(chan struct{})
	s.done.Go(func() {
		if err := sessions.Run(background); err != nil && background.Err() == nil {
			log.Error("keeping sessions current ended", "error", err)
		}
	})
	s.done.Go(func() { s.maintain(background) })
	s.done.Go(func() { s.flights.run(background) })
	s.awaitMigration(ctx, background)
	return s, nil
}

// firstMigration is how long a start waits for the token store. After that the
// server starts degraded: guarded routes answer 503 until the store is there,
// and unguarded sites are not touched.
const firstMigration = 3 * time.Second

func (s *shared) awaitMigration(ctx, background context.Context) {
	timeout := time.NewTimer(firstMigration)
	defer timeout.Stop()
	select {
	case <-s.migrated:
	case <-ctx.Done():
	case <-timeout.C:
		s.log.Warn("the token store is not ready; guarded sites answer 503 until it is")
		s.done.Go(func() {
			select {
			case <-s.migrated:
				s.log.Info("guarded sites are served now")
			case <-background.Done():
			}
		})
	}
}

// keysTimeout is how long a reload waits for signing keys.
const keysTimeout = 3 * time.Second

// reloadKeys loads the signing keys again at a reload, from their file or the
// store: a key that is gone there must sign nothing from now on. If that fails, the
// keys known so far go on, and it is tried again every half minute.
func (s *shared) reloadKeys(ctx context.Context) {
	select {
	case <-s.migrated:
	default:
		return // the first start is still about it
	}
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	if err := s.tokens.Refresh(ctx); err != nil {
		s.log.Error("loading signing keys failed; the known keys stay in use, and loading is retried every 30 seconds", "error", err)
	}
}

// use makes an app the one whose settings count.
func (s *shared) use(a *App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = append(s.apps, a)
	s.configure(a)
	s.cache.use(a)
}

func (s *shared) configure(a *App) {
	if lifetime := int64(a.lifetime()); lifetime > s.lifetime.Load() {
		s.lifetime.Store(lifetime)
	}
	s.logger.Store(a.logger)
	s.sessions.Configure(a.settings())
	s.bearers.move(a.gateway.Load())
}

// release ends an app's use. When a reload failed, the configuration that goes
// on running gets its settings back.
func (s *shared) release(a *App) error {
	s.mu.Lock()
	if i := slices.Index(s.apps, a); i >= 0 {
		newest := i == len(s.apps)-1
		s.apps = slices.Delete(s.apps, i, i+1)
		if newest && len(s.apps) > 0 {
			s.configure(s.apps[len(s.apps)-1])
		}
	}
	s.mu.Unlock()
	s.cache.leave(a)
	_, err := pool.Delete(s.key)
	return err
}

// hold keeps the entry for as long as a stream lives that was begun under an
// earlier configuration, so that a revocation still reaches it.
func (s *shared) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams++
	return func() {
		s.mu.Lock()
		s.streams--
		last := s.unused && s.streams == 0
		s.mu.Unlock()
		if last {
			_ = s.close()
		}
	}
}

// Destruct ends the entry, or leaves that to the last stream.
func (s *shared) Destruct() error {
	s.flights.close()
	s.mu.Lock()
	s.unused = true
	streams := s.streams
	s.mu.Unlock()
	if streams > 0 {
		return nil
	}
	return s.close()
}

// close ends the background work and closes the token store, and the cache if
// nobody else has it. Both can be done twice.
func (s *shared) close() error {
	s.cancel()
	s.done.Wait()
	s.closing.Do(func() {
		s.closed = errors.Join(s.store.Close(), s.cache.release())
		s.releaseClaim()
	})
	return s.closed
}

// Interface guard
var _ caddy.Destructor = (*shared)(nil)
