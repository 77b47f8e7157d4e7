package session

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// DefaultMaxEntries is how many sessions a node remembers by default. They fall into
// shards by chance, so it is half as much again as the hundred thousand that may be live
// without any being loaded twice.
const DefaultMaxEntries = 150_000

// How long the store may take. Callers with less patience leave earlier.
const (
	loadTimeout  = 5 * time.Second
	checkTimeout = 2 * time.Second
	sweepTimeout = 10 * time.Second
)

// Config is what a manager is made of.
type Config struct {
	Store   tokenstore.Store
	Cache   cache.Store
	Keyring *keyring.Keyring
	// Now is the clock; nil is time.Now. Only differences count: whether a
	// session has expired is judged by the store's clock.
	Now func() time.Time
	// Random is the source of ids and secrets, safe for concurrent use; nil is
	// crypto/rand.
	Random io.Reader
	// Logger is told of what nobody waits for; nil discards it. No handle,
	// secret or claim is logged.
	Logger *slog.Logger
	// MaxEntries bounds the sessions remembered; those used least recently
	// make room, which costs them one look-up. Default
	// [DefaultMaxEntries].
	MaxEntries int
	Settings
}

// Manager knows the sessions. It is safe for concurrent use. Make it with
// [New], and have [Manager.Run] running.
type Manager struct {
	store  tokenstore.Store
	cache  cache.Store
	keys   *keyring.Keyring
	now    func() time.Time
	base   time.Time // what clock counts from
	random io.Reader
	log    *slog.Logger

	settings atomic.Pointer[Settings]
	// epoch grows whenever everything known may be out of date: after a gap
	// in the announcements and a configuration reload.
	epoch   atomic.Uint64
	table   *table
	names   names
	flights singleflight.Group
	checks  checks
	outage  outage
	debts   debts
	// beforePaying of [Manager.BeforePaying], or nil.
	beforePaying atomic.Pointer[func(context.Context, uuid.UUID, string) error]
	kick         chan struct{}

	sweepSize atomic.Int64 // of the next sweep's queries

	// mu makes "end a session" and "take a loaded one in" exclude each other.
	mu       sync.Mutex
	endings  endings
	watchers map[sessionID]*watched
	touch    []sessionID // evicted before their use was recorded
}

// New makes a manager. Store, Cache and Keyring are required.
func New(c Config) (*Manager, error) {
	if c.Store == nil || c.Cache == nil || c.Keyring == nil {
		return nil, errors.New("making session manager: a token store, a cache and a keyring are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxEntries <= 0 {
		c.MaxEntries = DefaultMaxEntries
	}
	m := &Manager{
		store:    c.Store,
		cache:    c.Cache,
		keys:     c.Keyring,
		now:      c.Now,
		base:     c.Now(),
		random:   c.Random,
		log:      c.Logger,
		table:    newTable(c.MaxEntries),
		endings:  newEndings(c.MaxEntries),
		watchers: make(map[sessionID]*watched),
		kick:     make(chan struct{}, 1),
	}
	m.debts.due = make(chan struct{}, 1)
	m.sweepSize.Store(sweepSize)
	m.settings.Store(c.withDefaults())
	return m, nil
}

// clock is the time since the manager was made: monotonic where the injected
// clock is, so that a step of the wall clock neither ends nor prolongs
// anything.
func (m *Manager) clock() time.Duration { return m.now().Sub(m.base) }

// wake has the background work done now instead of at the next tick.
func (m *Manager) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}
