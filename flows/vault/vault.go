package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// DefaultRefreshLifetime is how long a refresh token is kept whose expiry
// nobody knows. DIRAC's 86,400 seconds dropped good tokens after a day: an
// opaque refresh token, such as Google's, is good until it is revoked. 30 days
// is the longest session by default, so that a token lasts as long as the
// sign-in that it came with; each refresh prolongs it.
const DefaultRefreshLifetime = 30 * 24 * time.Hour

const (
	defaultSkew           = 60 * time.Second
	defaultRefreshTimeout = 8 * time.Second
	// leaseMargin is by how much a lease outlasts the request to the provider.
	leaseMargin = 7 * time.Second
)

// Source is a provider whose tokens the vault keeps.
type Source struct {
	// Provider is refreshed and revoked at if it is a [provider.Refresher].
	provider.Provider
	// ClientID is ours at the provider. A token is only ever refreshed by the
	// client that it was issued to. Default: what the provider's method
	// ClientID says, if it has one.
	ClientID string
	// RevokeDisplaced has a token revoked that a sign-in displaced. Off by
	// default: at many providers revoking one token ends the whole grant, the
	// kept one with it.
	RevokeDisplaced bool
	// Scopes are asked for beside the provider's own, for a site or a client. A
	// stored token with scopes that nobody asks for any more is replaced by the next
	// sign-in's.
	Scopes []string
	// Narrow has access tokens asked for that have fewer scopes than the grant, or are
	// for one resource, where [Vault.Obtain] is asked for that. The provider must be a
	// [provider.Narrower].
	Narrow bool
}

// Config of a Vault. Store, Keyring, Sources, Now and Logger are required.
type Config struct {
	Store   tokenstore.ProviderTokens
	Keyring *keyring.Keyring
	Sources []Source
	Now     func() time.Time
	Logger  *slog.Logger

	// Refused is told that a provider refused a subject's refresh token for
	// good, or the access token where there is no other, before the row says so; if
	// it fails, the provider is asked again. It
	// is not told when a refresh was begun before whose answer may have got
	// lost, because the token may have been spent for that. asked, by the token
	// store's clock, is before the provider was asked: who signed in since has
	// another token, which may not have reached the row yet.
	// Nil: nobody is told.
	Refused func(ctx context.Context, subject, issuer string, asked time.Time) error

	// Counted is told what became of each refresh at a provider, for metrics:
	// "success", "failure" (it is down, or answered nonsense), "refused" (for
	// good), and beside "success" "lost" (it could not be written back). Nil:
	// nobody is told.
	Counted func(providerName, result string)

	// DefaultRefreshLifetime of a refresh token whose expiry is not known.
	// Default: [DefaultRefreshLifetime].
	DefaultRefreshLifetime time.Duration
	// RefreshTimeout bounds one request for a fresh token. Default: 8 seconds.
	RefreshTimeout time.Duration
	// LeaseWait is how long to wait for another node that is refreshing the
	// same token. Default: a second longer than RefreshTimeout, so that nobody is
	// turned away while a slow provider is about to answer.
	LeaseWait time.Duration
}

// Vault keeps provider tokens. It is safe for concurrent use; any number of
// vaults, on any number of nodes, may share a store.
type Vault struct {
	Config
	sources  []*source
	flights  singleflight.Group
	held     held
	running  running
	turns    turns
	counters counters
	laterFor time.Duration
}

// source is a Source with what the vault knows of its provider.
type source struct {
	Source
	refresher provider.Refresher // nil: its tokens cannot be refreshed
	rechecker provider.Rechecker // nil: it cannot be asked who the user is
	// checker can be asked about a token without a refresh token; or nil.
	checker provider.TokenChecker
	// narrower narrows tokens; or nil.
	narrower provider.Narrower
	asked    asked
	breaker  breaker
	pauses   pauses // by row
	purposes pauses // of narrowing
}

// scopes are all scopes that this configuration asks the provider for; nil if that
// cannot be told.
func (s *source) scopes() []string {
	scoper, ok := s.Provider.(provider.Scoper)
	if !ok {
		return nil
	}
	return slices.Concat([]string{}, scoper.Scopes(), s.Scopes)
}

// issuer is what rows name the provider by: it stays when a provider block is
// renamed.
func (s *source) issuer() string {
	if issuer := s.Issuer(); issuer != "" {
		return issuer
	}
	return s.Name()
}

// New checks a configuration. It does no I/O.
func New(c Config) (*Vault, error) {
	switch {
	case c.Store == nil || c.Keyring == nil:
		return nil, errors.New("a vault needs a token store and a keyring")
	case c.Now == nil || c.Logger == nil:
		return nil, errors.New("a vault needs a clock and a logger")
	case c.DefaultRefreshLifetime < 0 || c.RefreshTimeout < 0 || c.LeaseWait < 0:
		return nil, errors.New("a vault's times cannot be negative")
	}
	if c.DefaultRefreshLifetime == 0 {
		c.DefaultRefreshLifetime = DefaultRefreshLifetime
	}
	if c.RefreshTimeout == 0 {
		c.RefreshTimeout = defaultRefreshTimeout
	}
	if c.LeaseWait == 0 {
		c.LeaseWait = c.RefreshTimeout + time.Second
	}
	v := &Vault{Config: c, laterFor: defaultLaterFor}
	v.running.idle = sync.NewCond(&v.running.mu)
	for _, given := range c.Sources {
		s := &source{Source: given}
		if s.Provider == nil {
			return nil, errors.New("a vault's source has no provider")
		}
		s.refresher, _ = s.Provider.(provider.Refresher)
		s.rechecker, _ = s.Provider.(provider.Rechecker)
		s.checker, _ = s.Provider.(provider.TokenChecker)
		if s.Narrow {
			if s.narrower, _ = s.Provider.(provider.Narrower); s.narrower == nil {
				return nil, fmt.Errorf("provider %s narrows no tokens", s.Name())
			}
		}
		if known, ok := s.Provider.(interface{ ClientID() string }); ok && s.ClientID == "" {
			s.ClientID = known.ClientID()
		}
		if v.source(s.Name()) != nil || v.source(s.issuer()) != nil {
			return nil, fmt.Errorf("provider %s is in the vault twice", s.Name())
		}
		v.sources = append(v.sources, s)
	}
	return v, nil
}

// Keeps reports whether the vault keeps the tokens of a provider, by its name or
// issuer.
func (v *Vault) Keeps(providerName string) bool { return v.source(providerName) != nil }

// Scopes are all that this configuration asks a provider for, by its name or issuer;
// nil if that cannot be told.
func (v *Vault) Scopes(providerName string) []string {
	if s := v.source(providerName); s != nil {
		return s.scopes()
	}
	return nil
}

// source finds a provider by its name or issuer, or nil.
func (v *Vault) source(name string) *source {
	for _, s := range v.sources {
		if s.Name() == name {
			return s
		}
	}
	for _, s := range v.sources {
		if s.issuer() == name {
			return s
		}
	}
	return nil
}

// issuerOf is what rows name a provider by. One that is not configured any more
// is named by its issuer.
func (v *Vault) issuerOf(name string) string {
	if s := v.source(name); s != nil {
		return s.issuer()
	}
	return name
}

// Run seals anew what former secrets sealed, until ctx ends; then it waits for
// the refreshes under way, whose rotated tokens must be written back.
func (v *Vault) Run(ctx context.Context) {
	v.resealForEver(ctx)
	v.running.wait()
}

// jitter is a random part of d.
func (v *Vault) jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(v.Keyring.Random(8)) % uint64(d))
}

// running counts the refreshes under way, which belong to no caller.
type running struct {
	mu   sync.Mutex
	idle *sync.Cond
	n    int
}

func (r *running) begin() {
	r.mu.Lock()
	r.n++
	r.mu.Unlock()
}

func (r *running) end() {
	r.mu.Lock()
	if r.n--; r.n == 0 {
		r.idle.Broadcast()
	}
	r.mu.Unlock()
}

func (r *running) wait() {
	r.mu.Lock()
	for r.n > 0 {
		r.idle.Wait()
	}
	r.mu.Unlock()
}
