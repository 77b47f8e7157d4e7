package openid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// The one client that the provider knows.
const (
	ClientID     = "gatehouse"
	ClientSecret = "a secret of the client at the provider"
)

// Password of every user of the provider.
const Password = "correct horse battery"

// Provider is a running OpenID provider.
type Provider struct {
	Issuer string

	users *users

	mu       sync.Mutex
	requests map[string]int // by path
	behaviour
}

// Start starts a provider that ends with the test, and whose client may be
// redirected to the given addresses. Users are alice@example.com and
// bob@example.net, both with a verified address.
func Start(t testing.TB, redirectURIs ...string) *Provider {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return Serve(t, listener, "localhost:"+port, redirectURIs...)
}

// Serve is Start for a listener that is there already, whose issuer is
// http://host/.
func Serve(t testing.TB, listener net.Listener, host string, redirectURIs ...string) *Provider {
	t.Helper()
	// The issuer is compared byte by byte, and the example's has this slash.
	p := &Provider{Issuer: "http://" + host + "/", requests: map[string]int{}, users: newUsers()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("making a key: %v", err)
	}
	p.claims.key = key
	client := storage.WebClient(ClientID, ClientSecret, redirectURIs...)
	store := storage.NewStorageWithClients(p.users, map[string]*storage.Client{ClientID: client})
	handler := exampleop.SetupServer(p.Issuer, store, slog.New(slog.DiscardHandler), false)

	server := httptest.NewUnstartedServer(p.count(handler))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return p
}

// Addr is "host:port" of the provider.
func (p *Provider) Addr() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return ""
	}
	return "127.0.0.1:" + u.Port()
}

// Requests tells how often a path was asked for.
func (p *Provider) Requests(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[path]
}

func (p *Provider) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests[r.URL.Path]++
		p.mu.Unlock()
		p.behave(w, r, next)
	})
}
