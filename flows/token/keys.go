package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ErrNoKey: there is no key to sign with yet, since the token store could not
// be reached, or none that this node can open.
var ErrNoKey = errors.New("no signing key is available")

var errFile = errors.New("the signing keys are in a file; change the file")

// Config of the signing keys.
type Config struct {
	Store tokenstore.SigningKeys
	// File, a JWKS with private keys, is used instead of the store when set. It
	// is read again at every Refresh.
	File    string
	Keyring *keyring.Keyring
	Logger  *slog.Logger
	Now     func() time.Time
	Random  io.Reader

	// Algorithms to keep a key of. Default: ES256, EdDSA, RS256.
	Algorithms []string
	// Rotate is how old an active key gets. Default: 30 days.
	Rotate time.Duration
	// Publish is how long a key is published before it signs: the JWKS's
	// max-age, so that every verifier has it by then. Default: one hour.
	Publish time.Duration
	// Retain is how long a retired key is still published: the longest life
	// of a token. Default: 25 hours.
	Retain time.Duration
}

// Keys are the signing keys of all nodes, as this node knows them. Signing and
// verifying need no I/O.
type Keys struct {
	Config
	current atomic.Pointer[keySet]
	unread  atomic.Pointer[error] // of the file
	refresh sync.Mutex
}

// keySet is an immutable snapshot.
type keySet struct {
	active map[string]*key   // by algorithm
	sealed map[string]string // ids of those active keys that cannot be opened, by algorithm
	byID   map[string]*key
	prints map[string]struct{} // thumbprints of all
	jwks   []byte
	digest string // of a file
}

func newKeySet() *keySet {
	return &keySet{active: map[string]*key{}, sealed: map[string]string{}, byID: map[string]*key{}, prints: map[string]struct{}{}}
}

func (s *keySet) add(k *key) {
	s.byID[k.id] = k
	s.prints[k.print] = struct{}{}
}

// NewKeys returns keys that are not loaded yet; see [Keys.Refresh] and [Keys.Run].
func NewKeys(c Config) *Keys {
	if c.Algorithms == nil {
		c.Algorithms = []string{ES256, EdDSA, RS256}
	}
	if c.Rotate == 0 {
		c.Rotate = 30 * 24 * time.Hour
	}
	if c.Publish == 0 {
		c.Publish = time.Hour
	}
	if c.Retain == 0 {
		c.Retain = 25 * time.Hour
	}
	return &Keys{Config: c}
}

// Run loads the keys and keeps them fresh, every 30 seconds, until ctx ends.
func (k *Keys) Run(ctx context.Context) {
	wait := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = 30 * time.Second
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			k.Logger.WarnContext(ctx, "refreshing signing keys failed", "error", err)
			if k.current.Load() == nil {
				wait = time.Second
			}
		}
	}
}

// Refresh loads the keys of the store, makes what is missing and moves each on
// in its life: pending, active, retired, gone.
func (k *Keys) Refresh(ctx context.Context) error {
	k.refresh.Lock()
	defer k.refresh.Unlock()
	if k.File != "" {
		return k.loadFile()
	}
	rows, now, err := k.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	changed, strange := false, k.strange(rows, tokenstore.KeyActive)
	for _, alg := range k.Algorithms {
		moved, err := k.advance(ctx, alg, rows, now, k.Rotate, strange)
		if err != nil {
			return fmt.Errorf("rotating %s keys: %w", alg, err)
		}
		changed = changed || moved
	}
	if changed {
		if rows, _, err = k.Store.SigningKeys(ctx); err != nil {
			return err
		}
	}
	return k.load(rows)
}

// RotateNow begins the rotation of all keys now: new ones are published, and sign
// after the Publish time. ErrSealed: this node cannot open them all, and so they are
// not its own to rotate; see [Keys.ReplaceSealed].
func (k *Keys) RotateNow(ctx context.Context) error {
	k.refresh.Lock()
	defer k.refresh.Unlock()
	if k.File != "" {
		return errFile
	}
	rows, now, err := k.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if k.strange(rows, tokenstore.KeyActive, tokenstore.KeyPending) {
		return ErrSealed
	}
	for _, alg := range k.Algorithms {
		if _, err := k.advance(ctx, alg, rows, now, 0, false); err != nil {
			return fmt.Errorf("rotating %s keys: %w", alg, err)
		}
	}
	if rows, _, err = k.Store.SigningKeys(ctx); err != nil {
		return err
	}
	return k.load(rows)
}

func (k *Keys) loadFile() error {
	set, err := readFile(k.File)
	if err != nil {
		err = fmt.Errorf("reading signing keys from %s: %w", k.File, err)
		k.unread.Store(&err)
		return err
	}
	k.unread.Store(nil)
	k.current.Store(set)
	return nil
}

// Unread is why the file could not be read lately, or nil. The keys that were known
// before stay in use.
func (k *Keys) Unread() error {
	if err := k.unread.Load(); err != nil {
		return *err
	}
	return nil
}

// advance does what is due for one algorithm. Other nodes do the same; the
// store lets one of them win, which is no error for the others. A strange node
// leaves it to them, see [ErrSealed], and nobody promotes a key that it cannot sign
// with: another secret's node added it, and will.
func (k *Keys) advance(ctx context.Context, alg string, rows []tokenstore.SigningKey, now time.Time, rotate time.Duration, strange bool) (changed bool, err error) {
	for _, row := range rows {
		if row.Algorithm != alg || row.State != tokenstore.KeyRetired || now.Sub(row.ChangedAt) < k.Retain {
			continue
		}
		if err := k.Store.RemoveSigningKey(ctx, row.ID); err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return changed, err
		}
		changed = true
	}
	active, pending := find(rows, alg)
	switch {
	case strange:
		return changed, nil
	case active == nil, pending == nil && now.Sub(active.ChangedAt) >= rotate-k.Publish:
		return true, k.add(ctx, alg)
	case pending != nil && now.Sub(pending.CreatedAt) >= k.Publish && k.opens(pending):
		err := k.Store.PromoteSigningKey(ctx, active.ID, pending.ID)
		if errors.Is(err, tokenstore.ErrConflict) {
			err = nil
		}
		return true, err
	}
	return changed, nil
}

func (k *Keys) add(ctx context.Context, alg string) error {
	private, err := generate(alg, k.Random)
	if err != nil {
		return err
	}
	id, jwk, err := describe(alg, private.Public())
	if err != nil {
		return err
	}
	public, err := json.Marshal(jwk)
	if err != nil {
		return err
	}
	sealed, err := k.sealKey(id, private)
	if err != nil {
		return err
	}
	_, err = k.Store.AddSigningKey(ctx, tokenstore.SigningKey{
		ID: id, Algorithm: alg, State: tokenstore.KeyPending, Private: sealed, Public: public,
	})
	if errors.Is(err, tokenstore.ErrConflict) {
		return nil // another node was first
	}
	return err
}

// load makes a snapshot of the rows.
func (k *Keys) load(rows []tokenstore.SigningKey) error {
	set := newKeySet()
	before := k.current.Load()
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, row := range rows {
		if row.State == tokenstore.KeyGone {
			continue
		}
		loaded := reuse(before, row)
		if loaded == nil {
			var err error
			if loaded, err = k.openKey(row); err != nil {
				k.Logger.Error("signing key is not usable", "kid", row.ID, "error", err)
				continue
			}
		}
		set.add(loaded)
		public.Keys = append(public.Keys, loaded.jwk)
		switch {
		case row.State != tokenstore.KeyActive:
		case loaded.private != nil:
			set.active[row.Algorithm] = loaded
		default:
			set.sealed[row.Algorithm] = row.ID
			if before == nil || before.sealed[row.Algorithm] != row.ID {
				k.Logger.Error("no token can be signed here", "alg", row.Algorithm, "kid", row.ID, "error", ErrSealed)
			}
		}
	}
	slices.SortFunc(public.Keys, func(a, b jose.JSONWebKey) int {
		return slices.Index(k.Algorithms, a.Algorithm) - slices.Index(k.Algorithms, b.Algorithm)
	})
	var err error
	if set.jwks, err = json.Marshal(public); err != nil {
		return err
	}
	k.current.Store(set)
	return nil
}

// reuse returns the key of a former snapshot, so that opening is paid once.
func reuse(before *keySet, row tokenstore.SigningKey) *key {
	if before == nil {
		return nil
	}
	old := before.byID[row.ID]
	if old == nil || old.private == nil {
		return nil
	}
	same := *old
	same.state, same.changed = row.State, row.ChangedAt
	return &same
}

// JWKS is the published key set (RFC 7517), serialised once for each change.
// It is nil before the first load.
func (k *Keys) JWKS() []byte {
	set := k.current.Load()
	if set == nil {
		return nil
	}
	return set.jwks
}
