package flows_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// leaver is a client that hangs up while its request is being answered: it ends
// its sending side, by which net/http takes it for gone, and yet reads the answer.
type leaver struct {
	t    *testing.T
	mu   sync.Mutex
	conn *net.TCPConn // of the request under way
}

// callerKey is where a request's context holds the one that ends when its client
// has gone, also for what goes on then.
type callerKey struct{}

// send sends a request by a connection of its own and returns the answer.
func (l *leaver) send(req *http.Request) said {
	l.t.Helper()
	var d net.Dialer
	dialled, err := d.DialContext(l.t.Context(), "tcp", "127.0.0.1:"+req.URL.Port())
	if err != nil {
		l.t.Fatal(err)
	}
	conn := dialled.(*net.TCPConn)
	defer conn.Close()
	l.use(conn)
	defer l.use(nil)
	if err := req.Write(conn); err != nil {
		l.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return said{answer{status: resp.StatusCode, header: resp.Header}, string(text)}
}

// submit sends the form of a browser's page.
func (l *leaver) submit(b *browser, values url.Values) said {
	l.t.Helper()
	req := b.form(values)
	for _, c := range b.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	return l.send(req)
}

func (l *leaver) use(conn *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
}

// hangUp is called while the request is being answered, and returns when the
// server has noticed that nobody waits for the answer. It does so once.
func (l *leaver) hangUp(ctx context.Context) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn == nil {
		return
	}
	if err := conn.CloseWrite(); err != nil {
		l.t.Error(err)
	}
	caller, _ := ctx.Value(callerKey{}).(context.Context)
	if caller == nil {
		caller = ctx
	}
	select {
	case <-caller.Done():
	case <-time.After(time.Minute):
		l.t.Error("the server has not noticed that the client left")
	}
}

// slowPassword takes so long to check a password that its sender has left before
// it has a verdict.
type slowPassword struct {
	provider.Password
	client *leaver
}

func (p slowPassword) Authenticate(ctx context.Context, username, password string) (identity.Claims, error) {
	claims, err := p.Password.Authenticate(ctx, username, password)
	p.client.hangUp(ctx)
	return claims, err
}

// Whoever hangs up while the password is checked is counted all the same, and is
// not known to the browser for a sign-in that did not come to be.
func TestPassword_HangingUpIsCounted(t *testing.T) {
	client := &leaver{t: t}
	w := newWorld(t, worldOptions{providers: func(now func() time.Time) []provider.Provider {
		return []provider.Provider{slowPassword{localProvider(t, now).(provider.Password), client}}
	}})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/").signIn("alice", "wrong").want(401, "Incorrect")
	guess := func(password string) said {
		return client.submit(b, url.Values{"username": {"alice"}, "password": {password}})
	}
	if got := guess("wonderland"); strings.Contains(strings.Join(got.header.Values("Set-Cookie"), "\n"), "known") {
		t.Errorf("%d to the right password without a session, with %v", got.status, got.header)
	}
	answers := map[int]int{}
	for range 12 {
		answers[guess("wrong").status]++
	}
	if answers[401] != 9 || answers[429] != 3 {
		t.Errorf("after one failure, twelve that hung up were answered %v, want 9 checked and 3 refused", answers)
	}
	b.signIn("alice", "wonderland").want(429, "Too many attempts")
}

// slowStore has done what is asked for when its caller has left.
type slowStore struct {
	tokenstore.Store
	client *leaver
}

func (s slowStore) Rotate(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	defer s.client.hangUp(ctx)
	return s.Store.Rotate(ctx, r)
}

func (s slowStore) SignIn(ctx context.Context, in tokenstore.SignIn) (tokenstore.Session, error) {
	defer s.client.hangUp(ctx)
	return s.Store.SignIn(ctx, in)
}

func (s slowStore) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	defer s.client.hangUp(ctx)
	return s.Store.Session(ctx, id)
}

func (s slowStore) ListSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	defer s.client.hangUp(ctx)
	return s.Store.ListSessions(ctx, q)
}

func (s slowStore) DeleteConsent(ctx context.Context, subject, clientID string) error {
	defer s.client.hangUp(ctx)
	return s.Store.DeleteConsent(ctx, subject, clientID)
}

func (s slowStore) RevokeTokenID(ctx context.Context, jti string, until time.Time) error {
	defer s.client.hangUp(ctx)
	return s.Store.RevokeTokenID(ctx, jti, until)
}

func slowly(client *leaver) func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store) {
	return func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return slowStore{s, client}, c
	}
}

// A refused refresh consumes nothing, also if nobody waits for the refusal.
func TestRefresh_HangingUpConsumesNothing(t *testing.T) {
	client := &leaver{t: t}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: slowly(client)})
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.tokens(w.signedInBrowser(), nil).answer.text("refresh_token")}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.portalURL()+"/token", strings.NewReader(with(form, set("scope", "openid groups")).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("web", "web-secret-of-enough-length")
	if got := client.send(req); !strings.Contains(got.text, "invalid_scope") {
		t.Errorf("too wide a scope: %d %s", got.status, got.text)
	}
	w.clock.advance(time.Minute)
	if got := w.call("token", form, basic("web")); got.status != http.StatusOK {
		t.Errorf("the same token with the scope that it has: %d %s", got.status, got.text)
	}
}

// People close the tab as soon as they have clicked. What was asked for is done,
// and the clients are told of it.
func TestSignOut_HangingUpLosesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		page string
		form func(row tokenstore.Session) url.Values
	}{
		"of all, at the portal":          {"/logout", func(tokenstore.Session) url.Values { return nil }},
		"of a session, on one's page":    {"/", func(row tokenstore.Session) url.Values { return url.Values{"session": {row.ID.String()}} }},
		"of an application, on the same": {"/", func(row tokenstore.Session) url.Values { return url.Values{"client": {row.ClientID}} }},
	} {
		t.Run(name, func(t *testing.T) {
			client := &leaver{t: t}
			clients := oauthClients()
			clients[0].BackchannelLogoutURI = "http://127.0.0.1:1/nobody"
			w := newWorld(t, worldOptions{portal: true, clients: clients, wrap: slowly(client)})
			b := w.signedInBrowser()
			w.tokens(b, set("scope", "openid"))
			row := w.sessionOf("web")
			if err := w.store.SetConsent(t.Context(), tokenstore.Consent{Subject: row.Subject, ClientID: "web", Scope: []string{"openid"}}); err != nil {
				t.Fatal(err)
			}
			client.submit(b.get(w.portalURL()+tt.page), tt.form(row))
			if w.sessionOf("web").RevokedAt.IsZero() {
				t.Error("the session goes on")
			}
			entries, err := w.store.TakeOutbox(t.Context(), 10, time.Minute)
			if err != nil || len(entries) != 1 || entries[0].Target != "web" {
				t.Errorf("to be told are %v, %v, want web", entries, err)
			}
		})
	}
}

// A withdrawal that came no further than the consent is made good by the next.
func TestWithdraw_AgainEndsWhatIsLeft(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	w.tokens(b, set("scope", "openid"))
	b.get(w.portalURL() + "/").submit(url.Values{"client": {"web"}})
	if w.sessionOf("web").RevokedAt.IsZero() {
		t.Error("the session goes on")
	}
}

// sessionOf is the only session of a client, live or not.
func (w *world) sessionOf(client string) tokenstore.Session {
	w.t.Helper()
	rows, err := w.store.ListSessions(w.t.Context(), tokenstore.SessionQuery{All: true, ClientID: client})
	if err != nil || len(rows) != 1 {
		w.t.Fatalf("%d sessions of %s, %v", len(rows), client, err)
	}
	return rows[0]
}

// A provider's token is given once, and kept whoever has left.
func TestKeepToken_HangingUp(t *testing.T) {
	client := &leaver{t: t}
	_, rp, gateway := withVaultOn(t, slowly(client), "openid", "profile", "email", "offline_access")
	b := newBrowser(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stopAtCallback(t, b, rp), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	client.send(req)
	if kept(t, gateway.Vault).RefreshToken == "" {
		t.Error("the token was not kept")
	}
}

// What a client has revoked is told to the other nodes, also if it does not wait.
func TestRevocation_HangingUpIsTold(t *testing.T) {
	client := &leaver{t: t}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: slowly(client)})
	heard := make(chan cache.Announcement, 100)
	if err := w.cache.Subscribe(t.Context(), func(a cache.Announcement) { heard <- a }, func() {}); err != nil {
		t.Fatal(err)
	}
	access := w.call("token", url.Values{"grant_type": {"client_credentials"}}, basic("web")).answer.text("access_token")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.portalURL()+"/revoke", strings.NewReader(url.Values{"token": {access}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("web", "web-secret-of-enough-length")
	client.send(req)
	for wait := time.After(30 * time.Second); ; {
		select {
		case a := <-heard:
			if len(a.TokenIDs) > 0 {
				return
			}
		case <-wait:
			t.Fatal("nobody was told")
		}
	}
}
