package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// TestMain lets the test binary stand for gate itself, so that tests can start
// several processes of it.
func TestMain(m *testing.M) {
	if os.Getenv("GATE_TEST_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// need skips a test on a machine that lacks a program, but not where the whole
// suite is to run.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: see .ci/needs", program)
	}
	t.Skipf("%s is missing: see .ci/needs", program)
}

// testClock is a clock that tests set forward; it ticks as well.
type testClock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

type plain struct{}

func (plain) Compare(hash, password []byte) (bool, error) {
	return bytes.Equal(bytes.TrimPrefix(hash, []byte("$plain$")), password), nil
}

// world is a real authorization server and guarded sites on real sockets.
type world struct {
	t       *testing.T
	clock   *testClock
	gateway *flows.Gateway
	portal  *httptest.Server
	site    *httptest.Server
	folder  string

	mu sync.Mutex
	// grants counts what the token endpoint was asked for.
	grants map[string]int
	// before may answer a request to the portal in its place.
	before func(http.ResponseWriter, *http.Request) bool
	// slept adds up how long gate has slept.
	slept []time.Duration
	// during is called while gate sleeps, before the clock moves.
	during func(time.Duration)
	// remember the last user code, if somebody wants to enter it.
	remember bool
	lastCode string
	// approve is what happens when gate opens a browser.
	approve func(address string)
}

func newWorld(t *testing.T, clients ...*client.Client) *world {
	t.Helper()
	return newWorldAt(t, true, clients...)
}

// newWorldAt makes a world with a portal, or one in which each site signs
// people in by itself.
func newWorldAt(t *testing.T, portal bool, clients ...*client.Client) *world {
	t.Helper()
	w := &world{t: t, clock: &testClock{}, folder: filepath.Join(t.TempDir(), "gatehouse"), grants: map[string]int{}}
	w.approve = func(address string) { w.answer(address, "approve") }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Now: w.clock.now})
	check(err)
	check(store.Migrate(t.Context()))
	short := memory.New(memory.Options{Now: w.clock.now})
	secret, err := keyring.New(rand.Reader, []byte("a secret that only tests know"))
	check(err)
	logger := slog.New(slog.DiscardHandler)
	sessions, err := session.New(session.Config{
		Store: store, Cache: short, Keyring: secret, Now: w.clock.now, Random: rand.Reader, Logger: logger,
	})
	check(err)
	ctx, cancel := context.WithCancel(context.Background())
	running := make(chan struct{})
	go func() { defer close(running); _ = sessions.Run(ctx) }()
	keys := token.NewKeys(token.Config{
		Store: store, Keyring: secret, Logger: logger, Now: w.clock.now, Random: rand.Reader, Algorithms: []string{token.ES256},
	})
	check(keys.Refresh(t.Context()))
	pages, err := page.New(page.Options{Now: w.clock.now})
	check(err)
	people, err := local.New(local.Config{Name: "local", Now: w.clock.now, Users: []local.User{
		{Name: "alice", PasswordHash: "$plain$wonderland", Comparer: plain{}, Email: "alice@example.com", Groups: []string{"staff"}},
	}})
	check(err)
	w.site = httptest.NewUnstartedServer(http.HandlerFunc(w.guard))
	w.portal = httptest.NewUnstartedServer(http.HandlerFunc(w.servePortal))
	known := map[string]*client.Client{}
	for _, c := range clients {
		c.IDTokenAlgorithm = token.ES256 // the one key that is made
		check(c.Validate())
		known[c.ID] = c
	}
	config := flows.Config{
		Sessions: sessions, Store: store, Cache: short, Keyring: secret, Keys: keys, Pages: pages, Logger: logger,
		Now: w.clock.now, Random: rand.Reader, Clients: known, Providers: []provider.Provider{people},
	}
	if portal {
		config.Issuer, config.Sites = w.issuer(), []string{"http://*.sites.localhost" + port(w.site)}
	}
	w.gateway, err = flows.New(config)
	check(err)
	w.site.Start()
	w.portal.Start()
	t.Cleanup(func() {
		w.site.Close()
		w.portal.Close()
		cancel()
		<-running
		_ = short.Close()
		_ = store.Close()
	})
	return w
}

// gateClient is the client that gate has by default.
func gateClient() *client.Client {
	return &client.Client{
		ID: "gate", Public: true, FirstParty: true, Grants: []string{client.GrantDevice, client.GrantRefresh},
		Scopes: []string{"openid", "profile", "email", "groups", "offline_access"},
	}
}

func port(s *httptest.Server) string {
	_, p, _ := net.SplitHostPort(s.Listener.Addr().String())
	return ":" + p
}

func (w *world) issuer() string { return "http://portal.localhost" + port(w.portal) }
func (w *world) siteURL(name string) string {
	return "http://" + name + ".sites.localhost" + port(w.site)
}

func asRequest(r *http.Request) *web.Request {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return &web.Request{Request: r, URI: r.RequestURI, Scheme: "http", Host: r.Host, ClientIP: host}
}

func (w *world) guard(rw http.ResponseWriter, r *http.Request) {
	req := asRequest(r)
	if w.gateway.OwnPath(req.URI) {
		w.gateway.ServeSite(rw, req)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/open") {
		_, _ = io.WriteString(rw, strings.Repeat("welcome ", maxAnswer))
		return
	}
	id, err := w.gateway.Guard().Authenticate(r, r.Host, false, guard.How{})
	if err != nil {
		w.gateway.Guard().Challenge(rw, req, err)
		return
	}
	if strings.HasSuffix(r.URL.Path, ".git/info/refs") {
		_, _ = io.WriteString(rw, strings.Repeat("5", 40)+"\trefs/heads/of-"+id.User+"\n")
		return
	}
	body, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(rw, "hello "+id.User+" at "+r.RequestURI+" with "+string(body))
}

func (w *world) servePortal(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		w.mu.Lock()
		w.grants[form.Get("grant_type")]++
		w.mu.Unlock()
	}
	w.mu.Lock()
	before := w.before
	w.mu.Unlock()
	if before != nil && before(rw, r) {
		return
	}
	if r.URL.Path == "/device_authorization" && w.remember {
		rec := httptest.NewRecorder()
		w.gateway.ServePortal(rec, asRequest(r))
		var started deviceFlow
		_ = json.Unmarshal(rec.Body.Bytes(), &started)
		w.mu.Lock()
		w.lastCode = started.UserCode
		w.mu.Unlock()
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
		return
	}
	w.gateway.ServePortal(rw, asRequest(r))
}

// userCode that the last login showed.
func (w *world) userCode() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lastCode
}

func (w *world) intercept(f func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = f
}

func (w *world) count(grant string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.grants[grant]
}

// environment of a run: time passes when gate sleeps.
func (w *world) environment() environment {
	transport := newTransport()
	w.t.Cleanup(transport.CloseIdleConnections)
	return environment{
		folder: w.folder, now: w.clock.now, transport: transport, command: exec.CommandContext,
		getenv: func(name string) string { return map[string]string{"LANG": "C.UTF-8"}[name] },
		sleep: func(ctx context.Context, d time.Duration) error {
			w.slept = append(w.slept, d)
			if w.during != nil {
				w.during(d)
			}
			w.clock.advance(d)
			return ctx.Err()
		},
		open: func(_ context.Context, address string) error { w.approve(address); return nil },
	}
}

// result of a run.
type result struct {
	t              *testing.T
	args           []string
	code           int
	stdout, stderr string
}

func (w *world) gate(args ...string) result {
	w.t.Helper()
	return w.gateWith(w.environment(), "", args...)
}

func (w *world) gateWith(env environment, stdin string, args ...string) result {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(w.t.Context(), args, strings.NewReader(stdin), &stdout, &stderr, env)
	return result{w.t, args, code, stdout.String(), stderr.String()}
}

// want checks the exit code, and that both outputs together hold the texts.
func (r result) want(code int, texts ...string) result {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("gate %q ended with %d, want %d\nstdout: %s\nstderr: %s", r.args, r.code, code, r.stdout, r.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			r.t.Errorf("gate %q does not say %q\nstdout: %s\nstderr: %s", r.args, text, r.stdout, r.stderr)
		}
	}
	return r
}

// login signs in for a site.
func (w *world) login(site string) result {
	w.t.Helper()
	return w.gate("login", "--browser", site).want(exitDone)
}
