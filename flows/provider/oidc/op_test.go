package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

type obj = map[string]any

// op is an OpenID provider that answers whatever it is told.
type op struct {
	*httptest.Server
	t    *testing.T
	key  *ecdsa.PrivateKey
	keys []any // of the JWKS; default: key

	mu       sync.Mutex
	clock    time.Time
	metadata func(obj)
	tokens   func(obj)
	claims   func(obj)
	sign     func(claims []byte) string
	userinfo any
	handle   map[string]http.HandlerFunc
	form     url.Values // of the last token or revocation request
	basic    [2]string
	fetches  map[string]*atomic.Int64
}

func newOP(t *testing.T) *op {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &op{t: t, key: key, clock: noon, handle: map[string]http.HandlerFunc{}, fetches: map[string]*atomic.Int64{}}
	o.keys = []any{jose.JSONWebKey{Key: &key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}
	for _, path := range []string{"/.well-known/openid-configuration", "/keys", "/token", "/userinfo", "/revoke"} {
		o.fetches[path] = new(atomic.Int64)
	}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func (o *op) serve(w http.ResponseWriter, r *http.Request) {
	if n := o.fetches[r.URL.Path]; n != nil {
		n.Add(1)
	}
	o.mu.Lock()
	handler := o.handle[r.URL.Path]
	o.mu.Unlock()
	if handler != nil {
		handler(w, r)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		m := obj{
			"issuer": o.URL, "authorization_endpoint": o.URL + "/auth?tenant=1", "token_endpoint": o.URL + "/token",
			"jwks_uri": o.URL + "/keys", "userinfo_endpoint": o.URL + "/userinfo", "revocation_endpoint": o.URL + "/revoke",
			"end_session_endpoint": o.URL + "/logout?x=1", "id_token_signing_alg_values_supported": []string{"ES256", "RS256", "HS256", "none"},
		}
		apply(o.metadata, m)
		answer = m
	case "/keys":
		answer = obj{"keys": o.keys}
	case "/token", "/revoke":
		_ = r.ParseForm()
		o.form = r.PostForm
		o.basic = [2]string{}
		o.basic[0], o.basic[1], _ = r.BasicAuth()
		if r.URL.Path == "/revoke" {
			return
		}
		a := obj{"access_token": "at", "token_type": "Bearer", "expires_in": 300, "refresh_token": "rt", "scope": "openid email", "id_token": o.idToken()}
		apply(o.tokens, a)
		answer = a
	case "/userinfo":
		answer = o.userinfo
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func apply(edit func(obj), to obj) {
	if edit != nil {
		edit(to)
	}
}

func (o *op) idToken() string {
	c := obj{
		"iss": o.URL, "sub": "u1", "aud": "client", "nonce": "nonce", "iat": o.clock.Unix(), "exp": o.clock.Add(time.Hour).Unix(),
		"email": "Alice@Example.com", "email_verified": true, "name": "Alice", "groups": []string{"staff"},
	}
	apply(o.claims, c)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	payload, err := json.Marshal(c)
	if err != nil {
		o.t.Error(err)
	}
	if o.sign != nil {
		return o.sign(payload)
	}
	return signed(o.t, jose.ES256, o.key, payload, obj{"kid": "1"})
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, payload []byte, header obj) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for k, v := range header {
		options.WithHeader(jose.HeaderKey(k), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := token.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// at moves the clock of the provider and of Gatehouse.
func (o *op) at(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clock = now
}

func (o *op) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clock
}

func (o *op) on(path string, h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handle[path] = h
}

func (o *op) client(edit func(*Config)) *Provider {
	o.t.Helper()
	transport := &http.Transport{}
	c := Config{
		Name: "sso", Issuer: o.URL, ClientID: "client", ClientSecret: "s3cr3t", Now: o.now,
		HTTPClient: &http.Client{Transport: transport},
	}
	if edit != nil {
		edit(&c)
	}
	p, err := New(c)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		_ = p.Close()
		transport.CloseIdleConnections()
	})
	return p
}

func callback() provider.Callback {
	return provider.Callback{Code: "code", Nonce: "nonce", Verifier: strings.Repeat("v", 43), RedirectURI: "https://app/cb", MaxAge: -1}
}

func signIn(ctx context.Context, p *Provider) (provider.Result, error) {
	return p.Exchange(ctx, callback())
}

func unmarshal(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
