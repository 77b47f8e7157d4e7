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

func (l *leaver) use(conn *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
}

// hangUp is called while the request is being answered, if there is one, and
// returns when that has noticed that nobody waits for it.
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
	select {
	case <-ctx.Done():
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
	b.get(w.siteURL("app")+"/").signIn("alice", "wrong").want(401, "wrong")
	guess := func(password string) said {
		req := b.form(map[string][]string{"username": {"alice"}, "password": {password}})
		for _, c := range b.Jar.Cookies(req.URL) {
			req.AddCookie(c)
		}
		return client.send(req)
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
	result, err := s.Store.Rotate(ctx, r)
	s.client.hangUp(ctx)
	return result, err
}

// A refused refresh consumes nothing, also if nobody waits for the refusal.
func TestRefresh_HangingUpConsumesNothing(t *testing.T) {
	client := &leaver{t: t}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return slowStore{s, client}, c
	}})
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
