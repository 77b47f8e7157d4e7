package flows_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"html"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/scope"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// clock is a clock that tests set forward; it ticks as well, unless it is held.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
	held   time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held.IsZero() {
		return c.held
	}
	return time.Now().Add(c.offset)
}

// hold stops the clock from ticking, at d after where it stands.
func (c *clock) hold(d time.Duration) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = now.Add(d)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
	if !c.held.IsZero() {
		c.held = c.held.Add(d)
	}
}

// plain compares passwords kept in clear, so that tests cost no hashing; the
// real hashes are tested with the provider and through the built gateway.
type plain struct{}

func (plain) Compare(hash, password []byte) (bool, error) {
	return bytes.Equal(bytes.TrimPrefix(hash, []byte("$plain$")), password), nil
}

// world is a gateway with a real SQLite store and a real in-memory cache, on
// real sockets: a portal and guarded sites, or one site for itself.
type world struct {
	t        *testing.T
	clock    *clock
	gateway  *flows.Gateway
	sessions *session.Manager
	store    *sqlite.Store
	cache    *memory.Store
	keys     *token.Keys
	logs     *bytes.Buffer
	portal   *httptest.Server
	site     *httptest.Server      // one that does what the guard does
	wire     *browser              // of send, without cookies
	host     string                // of the portal
	pick     string                // the provider that the site's guard picks, or ""
	passes   string                // the provider whose tokens the site passes on, or ""
	wants    []string              // scopes that they must cover
	require  *stepup.Requirement   // of the site below /admin
	open     *guard.SelfRegistered // to clients that registered themselves
	accept   []string              // providers whose own tokens the site takes
	scoped   map[string][]string   // scopes that paths of the site need
}

type worldOptions struct {
	// issuer of another world whose node this one is.
	issuer string
	// wrap sees every call to the stores.
	wrap   func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store)
	portal bool
	// portalHost is the portal's name. Default: portal.test.
	portalHost string
	// signingKeys is a JWKS file to sign with, in place of keys of the store.
	signingKeys string
	clients     []*client.Client
	providers   func(now func() time.Time) []provider.Provider
	admit       func(identity.Claims) bool
	offers      map[string]flows.Offer
	// beside are further providers of twoWorlds.
	beside    func(now func() time.Time) []provider.Provider
	keep      func(provider string) identity.Keep
	acrs      []string // that some place demands
	acceptors func(now func() time.Time) map[string]provider.TokenAcceptor
	idTokens  bool // are kept
	// resources of the sites, which need not be said, and the scopes that are explained.
	resources []resource.Resource
	scopes    scope.Catalog
}

func newWorld(t *testing.T, o worldOptions) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, logs: &bytes.Buffer{}, host: cmp.Or(o.portalHost, "portal.test")}
	var err error
	if w.store, err = sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Now: w.clock.now}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.cache = memory.New(memory.Options{Now: w.clock.now})
	var durable tokenstore.Store = w.store
	var short cache.Store = w.cache
	if o.wrap != nil {
		durable, short = o.wrap(durable, short)
	}
	keys, err := keyring.New(rand.Reader, []byte("a secret that only tests know"))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(&lockedWriter{b: w.logs}, nil))
	w.sessions, err = session.New(session.Config{
		Store: durable, Cache: short, Keyring: keys, Now: w.clock.now, Random: rand.Reader, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	running := make(chan struct{})
	go func() { defer close(running); _ = w.sessions.Run(ctx) }()
	var signing tokenstore.SigningKeys = w.store
	if o.issuer != "" {
		signing = durable
	}
	w.keys = token.NewKeys(token.Config{
		Store: signing, Keyring: keys, Logger: logger, Now: w.clock.now, Random: rand.Reader,
		Algorithms: []string{token.ES256, token.EdDSA}, File: o.signingKeys,
	})
	if err := w.keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages, err := page.New(page.Options{Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	w.site = httptest.NewUnstartedServer(given.record(t, w.guard))
	w.portal = httptest.NewUnstartedServer(given.record(t, w.servePortal))
	config := flows.Config{
		Sessions: w.sessions, Store: durable, Cache: short, Keyring: keys, Keys: w.keys, Pages: pages, Logger: logger,
		Now: w.clock.now, Random: rand.Reader, Clients: map[string]*client.Client{}, Admit: o.admit, AdmitRule: func(identity.Claims) string { return "the rule of the test" }, Keep: o.keep, Offers: o.offers, ACRValues: o.acrs, KeepIDTokens: o.idTokens,
	}
	for _, c := range o.clients {
		if c.IDTokenAlgorithm == "" {
			c.IDTokenAlgorithm = token.ES256 // an RSA key takes long to make; TestOpenID_Algorithms has the default
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		config.Clients[c.ID] = c
	}
	if o.providers == nil {
		o.providers = func(now func() time.Time) []provider.Provider { return []provider.Provider{localProvider(t, now)} }
	}
	config.Providers = o.providers(w.clock.now)
	if o.acceptors != nil {
		config.Acceptors = o.acceptors(w.clock.now)
	}
	if o.portal {
		config.Issuer = w.portalURL()
		if o.issuer != "" {
			config.Issuer = o.issuer
		}
		config.Sites = []string{"http://*.sites.test" + port(w.site)}
	}
	for i := range o.resources {
		o.resources[i].Sites = []string{"http://*.sites.test" + port(w.site)}
	}
	if config.Resources, err = resource.NewSet(o.resources); err != nil {
		t.Fatal(err)
	}
	config.Scopes = o.scopes
	if w.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	w.site.Start()
	w.portal.Start()
	t.Cleanup(func() {
		w.site.Close()
		w.portal.Close()
		cancel()
		<-running
		_ = w.cache.Close()
		_ = w.store.Close()
	})
	return w
}

func port(s *httptest.Server) string {
	_, p, _ := net.SplitHostPort(s.Listener.Addr().String())
	return ":" + p
}

type lockedWriter struct {
	mu sync.Mutex
	b  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func localProvider(t *testing.T, now func() time.Time) provider.Provider {
	t.Helper()
	p, err := local.New(local.Config{Name: "local", Now: now, Users: []local.User{
		{Name: "alice", PasswordHash: "$plain$wonderland", Comparer: plain{}, Email: "alice@example.com", Groups: []string{"staff"}},
		{Name: "bob", PasswordHash: "$plain$builder", Comparer: plain{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func asRequest(r *http.Request) *web.Request {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, r.Context()))
	return &web.Request{Request: r, URI: r.RequestURI, Scheme: "http", Host: r.Host, KnownPort: true, ClientIP: host}
}

// guard is a guarded site in front of an upstream that says who came.
func (w *world) guard(rw http.ResponseWriter, r *http.Request) {
	req := asRequest(r)
	req.Pick, req.Resource = w.pick, w.gateway.Guard().ResourceOf(req.Origin(), req.URI)
	if w.gateway.OwnPath(req.URI) {
		w.gateway.ServeSite(rw, req)
		return
	}
	id, err := w.gateway.Guard().Authenticate(r, r.Host, false, guard.How{})
	rules := &guard.Rules{ProviderToken: w.passes, Scopes: w.wants, Accept: w.accept, SelfRegistered: w.open}
	if strings.HasPrefix(req.URI, "/admin") {
		rules.Require = w.require
	}
	if needs, ok := w.scoped[req.Path()]; ok {
		rules.Require, req.NeedsScope = &stepup.Requirement{Scope: needs}, needs
	}
	decision := w.gateway.Guard().Decide(req, rules, id, err)
	if decision.Outcome != guard.Pass {
		w.gateway.Guard().Answer(rw, req, decision)
		return
	}
	if w.passes != "" {
		r.Header.Set("Authorization", "Bearer "+decision.Token.AccessToken)
	}
	rw.Header().Set("Upstream-Cookie", r.Header.Get("Cookie"))
	rw.Header().Set("Upstream-Authorization", r.Header.Get("Authorization"))
	_, _ = io.WriteString(rw, "hello "+decision.Identity.User+" at "+r.RequestURI)
}

func (w *world) servePortal(rw http.ResponseWriter, r *http.Request) {
	w.gateway.ServePortal(rw, asRequest(r))
}

func (w *world) siteURL(name string) string { return "http://" + name + ".sites.test" + port(w.site) }
func (w *world) portalURL() string          { return "http://" + w.host + port(w.portal) }

// browser is a browser with cookies of its own; every host is on this machine.
type browser struct {
	t *testing.T
	*http.Client
	last *http.Response
	body string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, p, _ := net.SplitHostPort(addr)
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:"+p)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, Client: &http.Client{Jar: jar, Transport: transport}}
}

func (b *browser) do(req *http.Request) *browser {
	b.t.Helper()
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "text/html,application/xhtml+xml")
	}
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.last, b.body = resp, string(body)
	return b
}

func (b *browser) get(u string) *browser {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, u, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

var (
	anchor     = regexp.MustCompile(`(?s)<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>`)
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

// submit posts the page's form with its hidden fields and the given values.
func (b *browser) submit(values url.Values) *browser {
	b.t.Helper()
	return b.do(b.form(values))
}

// submitNavigating is submit by a browser that says what it is about.
func (b *browser) submitNavigating(values url.Values) *browser {
	b.t.Helper()
	req := b.form(values)
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.do(req)
}

// follow opens the page's link of that text.
func (b *browser) follow(text string) *browser {
	b.t.Helper()
	for _, link := range anchor.FindAllStringSubmatch(b.body, -1) {
		if strings.Contains(link[2], text) {
			to, err := b.last.Request.URL.Parse(html.UnescapeString(link[1]))
			if err != nil {
				b.t.Fatal(err)
			}
			return b.get(to.String())
		}
	}
	b.t.Fatalf("no link %q on the page:\n%s", text, b.body)
	return nil
}

// form is the request of submit.
func (b *browser) form(values url.Values) *http.Request {
	b.t.Helper()
	action := formAction.FindStringSubmatch(b.body)
	if action == nil {
		b.t.Fatalf("no form on the page:\n%s", b.body)
	}
	form := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(b.body, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	maps.Copy(form, values)
	to, err := b.last.Request.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

func (b *browser) signIn(user, password string) *browser {
	b.t.Helper()
	return b.submit(url.Values{"username": {user}, "password": {password}})
}

func (b *browser) want(status int, text string) *browser {
	b.t.Helper()
	if b.last.StatusCode != status || !strings.Contains(b.body, text) {
		b.t.Fatalf("%s answered %d, want %d with %q:\n%s", b.last.Request.URL, b.last.StatusCode, status, text, b.body)
	}
	return b
}

// held stops following redirects.
func (b *browser) held() *browser {
	c := *b.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t: b.t, Client: &c}
}
