package flows_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// outside is another issuer, which can be asked about its tokens.
type outside struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	asked []string // the tokens that it was asked about
	live  map[string]map[string]any
	slow  chan struct{} // what it waits for before it answers about a token; nil: nothing
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, key: key, live: map[string]map[string]any{}}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	return o
}

func (o *outside) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	slow := o.slow
	o.mu.Unlock()
	if slow != nil && r.URL.Path == "/introspect" {
		<-slow
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.URL.Path == "/keys" {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: o.key.Public(), KeyID: "1"}}})
		return
	}
	token := r.PostFormValue("token")
	o.asked = append(o.asked, token)
	claims, ok := o.live[token]
	if !ok {
		claims = map[string]any{"active": false}
	}
	_ = json.NewEncoder(w).Encode(claims)
}

// questions are how often it was asked about a token.
func (o *outside) questions(token string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, asked := range o.asked {
		if asked == token {
			n++
		}
	}
	return n
}

func (o *outside) token(claims map[string]any) string {
	o.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: o.key}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "1"))
	if err != nil {
		o.t.Fatal(err)
	}
	signed, err := signer.Sign(mustJSON(o.t, claims))
	if err != nil {
		o.t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		o.t.Fatal(err)
	}
	return raw
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// takingTokens is a world whose site takes the other issuer's tokens.
func takingTokens(t *testing.T, o *outside) *world {
	t.Helper()
	return takingTokensOver(t, o, nil)
}

// takingTokensOver is takingTokens with a store between.
func takingTokensOver(t *testing.T, o *outside, counting *countingStore) *world {
	t.Helper()
	var wrap func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store)
	if counting != nil {
		wrap = func(durable tokenstore.Store, short cache.Store) (tokenstore.Store, cache.Store) {
			counting.Store = durable
			return counting, short
		}
	}
	w := newWorld(t, worldOptions{wrap: wrap, admit: func(c identity.Claims) bool { return c.ID != barredRobot }, portal: true, clients: oauthClients(), acceptors: func(now func() time.Time) map[string]provider.TokenAcceptor {
		p, err := oidc.New(oidc.Config{
			Name: "ci", Issuer: o.URL, ClientID: "us", ClientSecret: "a secret", Now: now,
			Accept:    &oidc.Accept{Audience: []string{"https://api.test"}, Introspect: true},
			Endpoints: oidc.Endpoints{Authorization: o.URL + "/a", Token: o.URL + "/t", JWKS: o.URL + "/keys", Introspection: o.URL + "/introspect"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		return map[string]provider.TokenAcceptor{"ci": p}
	}})
	w.accept = []string{"ci"}
	w.clock.hold(0)
	return w
}

func (w *world) bearing(site, scheme, token string, headers ...string) int {
	w.t.Helper()
	return w.send(http.MethodGet, site+"/x", "", append(headers, "Authorization: "+scheme+" "+token)...).status
}

// RFC 7662, section 4: an answer counts for a minute at most. Our own tokens, and what
// looks like anybody's JWT, are told nobody.
func TestForeign_Introspection(t *testing.T) {
	o := newOutside(t)
	w := takingTokens(t, o)
	site := w.siteURL("one")
	o.live["opaque"] = map[string]any{"active": true, "sub": "robot", "aud": "https://api.test"}
	for range 5 {
		if got := w.bearing(site, "Bearer", "opaque"); got != http.StatusOK {
			t.Fatalf("%d", got)
		}
	}
	w.clock.advance(59 * time.Second)
	w.bearing(site, "Bearer", "opaque")
	if n := o.questions("opaque"); n != 1 {
		t.Errorf("asked %d times within a minute", n)
	}
	o.mu.Lock()
	delete(o.live, "opaque")
	o.mu.Unlock()
	w.clock.advance(2 * time.Second)
	if got := w.bearing(site, "Bearer", "opaque"); got != http.StatusUnauthorized || o.questions("opaque") != 2 {
		t.Errorf("revoked: %d after %d questions", got, o.questions("opaque"))
	}
	for range 5 { // who tries again at once
		w.bearing(site, "Bearer", "opaque")
	}
	if n := o.questions("opaque"); n != 2 {
		t.Errorf("asked %d times about what is refused", n)
	}

	b := newBrowser(t)
	b.get(site+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello")
	ours := w.tokens(b.held(), func(v url.Values) { v.Set("scope", "openid offline_access") })
	before := len(o.asked)
	for _, token := range []string{
		ours.answer.text("access_token"), ours.answer.text("refresh_token"), ours.answer.text("id_token"), b.cookieAt(site).Value,
		"x" + b.cookieAt(site).Value, ours.answer.text("access_token") + "x", "eyJhbGciOiJub25lIn0.e30.x", "eyJ.", "",
	} {
		if got := w.bearing(site, "Bearer", token); got != http.StatusUnauthorized {
			t.Errorf("%.12s…: %d", token, got)
		}
	}
	if len(o.asked) != before {
		t.Errorf("the other issuer was told %q", o.asked[before:])
	}
}

// A key that its issuer has withdrawn signs for nobody any more, however long the
// tokens of a thief would last.
func TestForeign_AWithdrawnKey(t *testing.T) {
	o := newOutside(t)
	w := takingTokens(t, o)
	token := o.token(map[string]any{
		"iss": o.URL, "sub": "robot", "aud": "https://api.test", "client_id": "job", "iat": w.clock.now().Unix(), "jti": "1",
		"exp": w.clock.now().Add(10 * 365 * 24 * time.Hour).Unix(),
	})
	if got := w.bearing(w.siteURL("one"), "Bearer", token); got != http.StatusOK {
		t.Fatalf("%d", got)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	o.key = other
	o.mu.Unlock()
	began := w.clock.now()
	eventually(t, "it is refused", func() bool {
		w.clock.advance(11 * time.Minute) // the keys are an hour old at some time, and fetched in the background
		return w.bearing(w.siteURL("one"), "Bearer", token) == http.StatusUnauthorized
	})
	if at := w.clock.now(); at.After(began.Add(24 * time.Hour)) {
		t.Errorf("it was good until %s", at)
	}
}

// RFC 9449, section 7: a bound token needs its proof, each once. Who is suspended here is
// out, whatever they come by.
func TestForeign_BoundAndSuspended(t *testing.T) {
	o := newOutside(t)
	w := takingTokens(t, o)
	site := w.siteURL("one")
	h, other := newHolder(t, w.clock.now), newHolder(t, w.clock.now)
	claims := map[string]any{
		"iss": o.URL, "sub": "robot", "aud": "https://api.test", "exp": w.clock.now().Add(time.Hour).Unix(), "cnf": map[string]any{"jkt": h.thumb()},
	}
	bound := o.token(claims)
	proof := func(h *holder) string { return "DPoP: " + h.proof(http.MethodGet, site+"/x", bound, nil) }
	once := proof(h)
	for _, tt := range []struct {
		name, scheme string
		headers      []string
		want         int
	}{
		{"with its proof", "DPoP", []string{once}, 200},
		{"with a proof that was used", "DPoP", []string{once}, 401},
		{"with another key's", "DPoP", []string{proof(other)}, 401},
		{"without one", "DPoP", nil, 401},
		{"as a bearer token", "Bearer", nil, 401},
		{"as a bearer token, with a proof", "Bearer", []string{proof(h)}, 401},
	} {
		if got := w.bearing(site, tt.scheme, bound, tt.headers...); got != tt.want {
			t.Errorf("%s: %d", tt.name, got)
		}
	}

	delete(claims, "cnf")
	free := o.token(claims)
	if got := w.bearing(site, "Bearer", free); got != http.StatusOK {
		t.Fatalf("%d", got)
	}
	if got := w.bearing(site, "Bearer", free+", x"); got != http.StatusUnauthorized {
		t.Errorf("with a tail: %d", got)
	}
	started, err := w.sessions.SignIn(t.Context(), session.Start{ClientID: "somewhere", Claims: identity.Claims{Provider: "ci", Issuer: o.URL, ID: "robot", User: "robot"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Suspend(t.Context(), started.Session.Subject, true); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(61 * time.Second)
	if got := w.bearing(site, "Bearer", free); got != http.StatusUnauthorized {
		t.Errorf("suspended: %d", got)
	}
}

// decideFor is what becomes of a request with a token, and the status of its answer.
func (w *world) decideFor(token string) (guard.Decision, int) {
	r := httptest.NewRequest(http.MethodGet, w.siteURL("one")+"/x", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.decide(r)
}

func (w *world) decide(r *http.Request) (guard.Decision, int) {
	request := &web.Request{Request: r, URI: "/x", Scheme: "http", Host: r.Host}
	d := w.gateway.Guard().Decide(request, &guard.Rules{Accept: w.accept}, nil, session.ErrNoSession)
	rec := httptest.NewRecorder()
	w.gateway.Guard().Answer(rec, request, d)
	return d, rec.Code
}

// watching has what began by a token stop, and says when it has.
func (w *world) watching(token string) (ended chan struct{}) {
	w.t.Helper()
	d, status := w.decideFor(token)
	if d.Outcome != guard.Pass {
		w.t.Fatalf("%d", status)
	}
	stop, ended := called()
	w.t.Cleanup(w.gateway.WatchToken(d.Identity, stop))
	return ended
}

// What began by another issuer's token ends within a minute when the token is revoked, its
// subject suspended, or its issuer's rules keep it out; what goes on costs a question a
// minute.
func TestForeign_StreamsEndWithTheirToken(t *testing.T) {
	o := newOutside(t)
	w := takingTokens(t, o)
	about := func(sub string) map[string]any {
		return map[string]any{"active": true, "sub": sub, "aud": "https://api.test", "exp": w.clock.now().Add(24 * time.Hour).Unix()}
	}
	o.live["stays"], o.live["revoked"], o.live["barred"] = about("robot"), about("robot"), about("robot")
	claims := about("villain")
	claims["iss"] = o.URL
	jwt := o.token(claims)
	stays, revoked, barred, suspended := w.watching("stays"), w.watching("revoked"), w.watching("barred"), w.watching(jwt)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.gateway.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })

	started, err := w.sessions.SignIn(t.Context(), session.Start{ClientID: "somewhere", Claims: identity.Claims{Provider: "ci", Issuer: o.URL, ID: "villain", User: "villain"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Suspend(t.Context(), started.Session.Subject, true); err != nil {
		t.Fatal(err)
	}
	o.mu.Lock()
	delete(o.live, "revoked")
	o.live["barred"]["sub"] = barredRobot
	o.mu.Unlock()
	w.clock.advance(time.Minute)
	wantCalled(t, "revoked", revoked)
	wantCalled(t, "barred", barred)
	wantCalled(t, "suspended", suspended)
	eventually(t, "the one that stays was asked about", func() bool { return o.questions("stays") == 2 })
	if len(stays) != 0 {
		t.Error("one that is good is ended")
	}
}

// Anybody can send what has to be asked about: no more than so many wait, and the others
// are told to come back.
func TestForeign_WaitersAreBounded(t *testing.T) {
	o := newOutside(t)
	w := takingTokens(t, o)
	o.slow = make(chan struct{})
	const crowd = 400
	answers := make(chan int, crowd)
	for i := range crowd {
		go func() {
			_, status := w.decideFor("opaque" + strconv.Itoa(i))
			answers <- status
		}()
	}
	for range crowd - 256 {
		if got := <-answers; got != http.StatusServiceUnavailable {
			t.Fatalf("%d", got)
		}
	}
	close(o.slow)
	for range 256 {
		if got := <-answers; got != http.StatusUnauthorized && got != http.StatusServiceUnavailable {
			t.Fatalf("%d", got)
		}
	}
	if n := strings.Count(w.logs.String(), "tokens of a provider cannot") + strings.Count(w.logs.String(), "is refused"); n > 40 {
		t.Errorf("%d lines in the log", n)
	}
}

// Who is suspended and tries again at once costs no question to the store and no line in
// the log; a store that is away is not asked at every request.
func TestForeign_TheSuspendedAndTheStore(t *testing.T) {
	o := newOutside(t)
	counting := new(countingStore)
	w := takingTokensOver(t, o, counting)
	token := o.token(map[string]any{"iss": o.URL, "sub": "robot", "aud": "https://api.test", "exp": w.clock.now().Add(24 * time.Hour).Unix()})
	for range 5 {
		if _, got := w.decideFor(token); got != http.StatusOK {
			t.Fatalf("%d", got)
		}
	}
	counting.away.Store(true)
	w.clock.advance(2 * time.Minute)
	for range 5 {
		if _, got := w.decideFor(token); got != http.StatusOK {
			t.Errorf("without the store: %d", got)
		}
	}
	if n := counting.looks.Load(); n != 2 {
		t.Errorf("%d questions to the store", n)
	}
	d, _ := w.decideFor(token)
	for limit, want := range map[time.Duration]bool{-1: true, time.Minute: true, 2 * time.Minute: true, 3 * time.Minute: false} {
		if got := w.gateway.Guard().Foreign.IsStale(d.Identity, limit); got != want {
			t.Errorf("two minutes without the store are too long for a site that goes on for %s: %v", limit, got)
		}
	}
	w.clock.advance(9 * time.Minute)
	if _, got := w.decideFor(token); got != http.StatusServiceUnavailable {
		t.Errorf("without the store for long: %d", got)
	}
	counting.away.Store(false)
	w.clock.advance(time.Minute)
	if _, got := w.decideFor(token); got != http.StatusOK {
		t.Errorf("with the store again: %d", got)
	}
	started, err := w.sessions.SignIn(t.Context(), session.Start{ClientID: "somewhere", Claims: identity.Claims{Provider: "ci", Issuer: o.URL, ID: "robot", User: "robot"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Suspend(t.Context(), started.Session.Subject, true); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	before := counting.looks.Load()
	for range 5 {
		if _, got := w.decideFor(token); got != http.StatusUnauthorized {
			t.Errorf("suspended: %d", got)
		}
	}
	if n := counting.looks.Load() - before; n != 1 || strings.Count(w.logs.String(), "its subject is suspended") != 1 {
		t.Errorf("%d questions to the store, and the log says %s", n, w.logs)
	}
}

// countingStore counts the questions about subjects, and answers none while it is away.
type countingStore struct {
	tokenstore.Store
	looks atomic.Int64
	away  atomic.Bool
}

func (s *countingStore) FindSubject(ctx context.Context, id tokenstore.Identity) (tokenstore.Subject, error) {
	s.looks.Add(1)
	if s.away.Load() {
		return tokenstore.Subject{}, errors.New("the store is away")
	}
	return s.Store.FindSubject(ctx, id)
}

// barredRobot is whom the rules of the provider of the tests keep out.
const barredRobot = "barred"
