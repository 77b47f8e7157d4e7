package session

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const host = "app.example.com"

// clock is one that only moves when told to. All nodes and stores share it.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(by time.Duration) { c.at.Add(int64(by)) }

// world is a token store and a cache that any number of nodes share.
type world struct {
	t     testing.TB
	clock *clock
	store *sqlite.Store
	cache *memory.Store
	keys  *keyring.Keyring
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: newClock()}
	var err error
	if w.store, err = sqlite.Open(filepath.Join(t.TempDir(), "tokens.db"), sqlite.Options{Now: w.clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if err := w.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.cache = memory.New(memory.Options{Now: w.clock.now})
	t.Cleanup(func() { _ = w.cache.Close() })
	if w.keys, err = keyring.New(nil, []byte("a secret for the tests of sessions")); err != nil {
		t.Fatal(err)
	}
	return w
}

// node is one gateway: a manager that reaches the stores through wires that a
// test can cut, slow down and count.
type node struct {
	*Manager
	t     testing.TB
	clock *clock
	store *storeWire
	cache *cacheWire
}

func (w *world) node(change ...func(*Config)) *node {
	w.t.Helper()
	n := &node{
		t:     w.t,
		clock: w.clock,
		store: &storeWire{Store: w.store, calls: make(map[string]int)},
		cache: &cacheWire{Store: w.cache},
	}
	c := Config{Store: n.store, Cache: n.cache, Keyring: w.keys, Now: w.clock.now}
	for _, f := range change {
		f(&c)
	}
	var err error
	if n.Manager, err = New(c); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// run has the node listen and work until the test ends or stop is called.
func (n *node) run() (stop func()) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			n.t.Errorf("running: %v", err)
		}
	})
	n.t.Cleanup(stop)
	eventually(n.t, "the node subscribes", func() bool { return n.cache.subscriptions.Load() > 0 })
	return stop
}

func alice() identity.Claims {
	return identity.Claims{
		Provider: "google", Issuer: "https://accounts.google.com", ID: "1083214763",
		User: "alice@example.com", Email: "alice@example.com", EmailVerified: true,
		Name: "Alice Example", Groups: []string{"staff", "wheel"},
		AuthTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), AMR: []string{"pwd", "otp"},
		Extra: map[string]any{"locale": "en"},
	}
}

// signIn starts a session at host.
func (n *node) signIn(change ...func(*Start)) Started {
	n.t.Helper()
	s := Start{ClientID: host, Claims: alice(), UserAgent: "test"}
	for _, f := range change {
		f(&s)
	}
	start := n.SignIn
	if s.Parent != uuid.Nil {
		start = n.Handover
	}
	started, err := start(n.t.Context(), s)
	if err != nil {
		n.t.Fatalf("signing in: %v", err)
	}
	return started
}

func childOf(s Started, client string) func(*Start) {
	return func(start *Start) {
		start.Parent, start.Subject, start.ClientID = s.Session.ID, s.Session.Subject, client
	}
}

// is fails the test unless the handle is answered with want, nil for a live
// session.
func (n *node) is(s Started, want error, when string) {
	n.t.Helper()
	who, err := n.Authenticate(n.t.Context(), s.Session.ClientID, s.Handle)
	if !errors.Is(err, want) || (want == nil && err != nil) {
		n.t.Fatalf("%s: %v, want %v", when, err, want)
	}
	if err == nil && (who.User != "alice@example.com" || who.SessionID != s.Session.ID || who.Subject != s.Session.Subject) {
		n.t.Fatalf("%s: identity %+v", when, who)
	}
}

// eventually waits for what happens in the background.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// storeWire is the way to the token store.
type storeWire struct {
	tokenstore.Store
	cut atomic.Bool
	// asking are the questions about sessions that are under way.
	asking atomic.Int32

	mu     sync.Mutex
	calls  map[string]int
	before func(ctx context.Context, method string) error // nil: nothing
	after  func(method string)
}

var errCut = errors.Join(tokenstore.ErrUnavailable, errors.New("the wire is cut"))

func (s *storeWire) enter(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls[method]++
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx, method); err != nil {
			return err
		}
	}
	if s.cut.Load() {
		return errCut
	}
	return ctx.Err()
}

// cutOff cuts the wire, and waits for the answers that are on their way: a question of
// before may be answered by what is stored only afterwards.
func (s *storeWire) cutOff(t testing.TB) {
	t.Helper()
	s.cut.Store(true)
	eventually(t, "no answer is on its way", func() bool { return s.asking.Load() == 0 })
}

func (s *storeWire) leave(method string) {
	s.mu.Lock()
	after := s.after
	s.mu.Unlock()
	if after != nil {
		after(method)
	}
}

func (s *storeWire) hook(before func(context.Context, string) error, after func(string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *storeWire) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *storeWire) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		n += c
	}
	return n
}

func (s *storeWire) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	s.asking.Add(1)
	defer s.asking.Add(-1)
	if err := s.enter(ctx, "Session"); err != nil {
		return tokenstore.Session{}, err
	}
	defer s.leave("Session")
	return s.Store.Session(ctx, id)
}

func (s *storeWire) SignIn(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	if err := s.enter(ctx, "SignIn"); err != nil {
		return tokenstore.Session{}, err
	}
	return s.Store.SignIn(ctx, in)
}

func (s *storeWire) CreateSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	if err := s.enter(ctx, "CreateSession"); err != nil {
		return tokenstore.Session{}, err
	}
	return s.Store.CreateSession(ctx, n)
}

func (s *storeWire) ListSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	if err := s.enter(ctx, "ListSessions"); err != nil {
		return nil, err
	}
	defer s.leave("ListSessions")
	return s.Store.ListSessions(ctx, q)
}

func (s *storeWire) Revalidate(ctx context.Context, ids, touch []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	s.asking.Add(1)
	defer s.asking.Add(-1)
	if err := s.enter(ctx, "Revalidate"); err != nil {
		return nil, time.Time{}, err
	}
	defer s.leave("Revalidate")
	if len(touch) > 0 {
		s.mu.Lock()
		s.calls["touch"] += len(touch)
		s.mu.Unlock()
	}
	return s.Store.Revalidate(ctx, ids, touch)
}

func (s *storeWire) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	if err := s.enter(ctx, "RevokeSession"); err != nil {
		return nil, err
	}
	return s.Store.RevokeSession(ctx, id)
}

func (s *storeWire) RevokeSubject(ctx context.Context, subject string) ([]uuid.UUID, error) {
	if err := s.enter(ctx, "RevokeSubject"); err != nil {
		return nil, err
	}
	return s.Store.RevokeSubject(ctx, subject)
}

func (s *storeWire) RevokeAgain(ctx context.Context, ids []uuid.UUID) error {
	if err := s.enter(ctx, "RevokeAgain"); err != nil {
		return err
	}
	return s.Store.RevokeAgain(ctx, ids)
}

// cacheWire is the way to the cache.
type cacheWire struct {
	cache.Store
	cut           atomic.Bool
	deaf          atomic.Bool // announcements get lost
	subscriptions atomic.Int32
	refused       atomic.Int32
	gap           atomic.Pointer[func()]
}

func (c *cacheWire) Announce(ctx context.Context, a cache.Announcement) error {
	if c.cut.Load() {
		return cache.ErrUnavailable
	}
	return c.Store.Announce(ctx, a)
}

func (c *cacheWire) RecentRevocations(ctx context.Context) ([]uuid.UUID, error) {
	if c.cut.Load() {
		return nil, cache.ErrUnavailable
	}
	return c.Store.RecentRevocations(ctx)
}

func (c *cacheWire) Subscribe(ctx context.Context, receive func(cache.Announcement), gap func()) error {
	if c.cut.Load() {
		c.refused.Add(1)
		return cache.ErrUnavailable
	}
	c.gap.Store(&gap)
	err := c.Store.Subscribe(ctx, func(a cache.Announcement) {
		if !c.deaf.Load() && !c.cut.Load() {
			receive(a)
		}
	}, gap)
	if err == nil {
		c.subscriptions.Add(1)
	}
	return err
}

// lose cuts the subscription: what is announced meanwhile is not heard.
func (c *cacheWire) lose() { c.cut.Store(true); (*c.gap.Load())() }

// regain restores it, and says that something may have been missed.
func (c *cacheWire) regain() { c.cut.Store(false); (*c.gap.Load())() }
