package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	oldSecret = "the secret of last year, quite long"
	newSecret = "the secret of this year, quite long"
)

// bed is a token store, an outside provider, and a clock that both go by.
type bed struct {
	*testing.T
	store    tokenstore.Store
	location string // of the store: a file's path, or a URL
	op       *op
	clock    *clock
	logs     *lockedBuffer
}

type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) shift() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

func (c *clock) now() time.Time { return time.Now().Add(c.shift()) }

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// onEachStore runs a test on SQLite and on Postgres.
func onEachStore(t *testing.T, test func(b *bed)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		b := newBed(t)
		b.location = filepath.Join(t.TempDir(), "store.db")
		store, err := sqlite.Open(b.location, sqlite.Options{Now: b.clock.now})
		b.ok(err)
		b.use(store)
		test(b)
	})
	t.Run("postgres", func(t *testing.T) {
		b := newBed(t)
		b.location = postgrestest.URL(t)
		store, err := postgres.Open(t.Context(), postgres.Options{URL: b.location, ClockOffset: b.clock.shift})
		b.ok(err)
		b.use(store)
		test(b)
	})
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, clock: &clock{}, logs: &lockedBuffer{}}
	b.op = newOP(t)
	return b
}

func (b *bed) use(store tokenstore.Store) {
	b.Helper()
	b.Cleanup(func() { _ = store.Close() })
	b.ok(store.Migrate(b.Context()))
	b.store = store
}

func (b *bed) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) config(secrets ...string) vault.Config {
	b.Helper()
	if len(secrets) == 0 {
		secrets = []string{newSecret}
	}
	return vault.Config{
		Store: b.store, Keyring: ring(b.T, secrets...), Now: b.clock.now,
		Logger:  slog.New(slog.NewTextHandler(b.logs, nil)),
		Sources: []vault.Source{{Provider: b.provider("sso", "client")}},
	}
}

func (b *bed) open(c vault.Config) *vault.Vault {
	b.Helper()
	v, err := vault.New(c)
	b.ok(err)
	b.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		v.Run(ended) // waits for refreshes under way
	})
	return v
}

// vault with the default settings.
func (b *bed) vault(secrets ...string) *vault.Vault {
	b.Helper()
	return b.open(b.config(secrets...))
}

func ring(t testing.TB, secrets ...string) *keyring.Keyring {
	t.Helper()
	var keys [][]byte
	for _, s := range secrets {
		keys = append(keys, []byte(s))
	}
	k, err := keyring.New(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (b *bed) provider(name, clientID string) *oidc.Provider {
	b.Helper()
	transport := &http.Transport{}
	p, err := oidc.New(oidc.Config{
		Name: name, Issuer: b.op.issuer(), ClientID: clientID, ClientSecret: "s3cr3t", Now: b.clock.now,
		HTTPClient: &http.Client{Transport: transport},
	})
	b.ok(err)
	b.Cleanup(func() {
		_ = p.Close()
		transport.CloseIdleConnections()
	})
	return p
}

// signIn gives ann a token that lives for an hour, as a sign-in would.
func (b *bed) signIn(v *vault.Vault) provider.Token {
	b.Helper()
	t := b.op.grant(b.clock.now().Add(time.Hour))
	_, err := v.Put(b.Context(), "ann", "sso", t)
	b.ok(err)
	return t
}

func (b *bed) row() tokenstore.ProviderToken {
	b.Helper()
	row, err := b.store.ProviderToken(b.Context(), "ann", b.op.issuer())
	b.ok(err)
	return row
}

// drain empties the outbox through a vault.
func (b *bed) drain(v *vault.Vault) {
	b.Helper()
	d, err := outbox.New(outbox.Config{
		Store: b.store, Now: b.clock.now, Logger: slog.New(slog.NewTextHandler(b.logs, nil)),
		Handlers: map[tokenstore.OutboxKind]outbox.Handler{tokenstore.OutboxProviderRevocation: {Handle: v.Revoke}},
	})
	b.ok(err)
	for d.Once(b.Context()) > 0 {
	}
}

func (b *bed) same(what string, got, want any) {
	b.Helper()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		b.Errorf("%s: got %s, want %s", what, g, w)
	}
}
