package crash_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// stormLife is how long the provider's access tokens live in the storms.
const stormLife = 8 * time.Second

// soaks is the one number in make soak, and the other where every minute counts.
func soaks(long, short int) int {
	if !gateway.Soaks() {
		return short
	}
	return long
}

// TestVault_StormAtExpiry: a hundred requests at once, over three nodes, when the token
// has expired, and the provider takes three seconds: one refresh, and nobody fails. A
// provider that rotates refuses a second refresh, and ends the person's grant for it.
func TestVault_StormAtExpiry(t *testing.T) {
	w := startVault(t)
	w.sso.TokensLive(stormLife)
	b := w.signIn(0)
	cookies := b.Cookies(mail + "/")
	expires := time.Now().Add(stormLife)
	storm(3, func(i int) (int, string, error) { return w.get(i, cookies) }) // every node has it
	w.sso.Refreshing(func() int { <-time.After(3 * time.Second); return 0 }, nil)
	for round := range soaks(3, 1) {
		until(expires.Add(time.Second))
		before := w.sso.Refreshes()
		s := storm(100, func(i int) (int, string, error) { return w.get(i%3, cookies) })
		expires = time.Now().Add(stormLife)
		refreshes := w.sso.Refreshes() - before
		if len(s.bad) > 0 || refreshes != 1 || len(s.got) != 1 || s.got[w.latest()] != 100 {
			t.Errorf("round %d: %d refreshes, %d different tokens, not served: %v", round, refreshes, len(s.got), s.bad)
		}
		t.Logf("100 requests on three nodes at expiry, the provider takes 3s: %d refresh, p99 %v", refreshes, s.p99().Round(time.Millisecond))
	}
}

// TestVault_ProviderIsSlowAndFails: a provider that answers 500 to every other refresh
// and is slow costs nobody anything while the former token is still good.
func TestVault_ProviderIsSlowAndFails(t *testing.T) {
	gateway.Soak(t)
	w := startVault(t)
	w.sso.TokensLive(20 * time.Second) // refreshed from the tenth second on
	cookies := w.signIn(0).Cookies(mail + "/")
	var asks atomic.Int64
	w.sso.Refreshing(func() int {
		<-time.After(time.Second)
		if asks.Add(1)%2 == 1 {
			return http.StatusInternalServerError
		}
		return 0
	}, nil)
	before := w.granted()
	s := asked(time.Duration(soaks(40, 30))*time.Second, 9, func(i int) (int, string, error) { <-time.After(20 * time.Millisecond); return w.get(i%3, cookies) })
	if len(s.bad) > 0 {
		t.Errorf("not served: %v", s.bad)
	}
	if w.granted()-before < 1 {
		t.Error("nothing was refreshed")
	}
	t.Logf("%d requests, %d refreshes of which %d were refused by the provider's fault, p99 %v",
		len(s.times), w.sso.Refreshes(), w.sso.Refreshes()-(w.granted()-before), s.p99().Round(time.Millisecond))
}

// leaseStep is where a node is killed while it refreshes.
type leaseStep struct {
	name string
	// hold has the node stop there; reached is closed when it has.
	hold func(w *vaultWorld, postgres *faultproxy.Postgres) (reached <-chan struct{}, release func())
	// lost: the provider has rotated, and nobody else can know to what. The person goes
	// to the provider once more; no session ends.
	lost bool
}

func leaseSteps() []leaseStep {
	at := func(statement string, fault faultproxy.Fault) func(*vaultWorld, *faultproxy.Postgres) (<-chan struct{}, func()) {
		return func(_ *vaultWorld, postgres *faultproxy.Postgres) (<-chan struct{}, func()) {
			return postgres.Set(1, fault, statement).Reached(), func() {}
		}
	}
	provider := func(after bool) func(*vaultWorld, *faultproxy.Postgres) (<-chan struct{}, func()) {
		return func(w *vaultWorld, _ *faultproxy.Postgres) (<-chan struct{}, func()) {
			reached, released := make(chan struct{}), make(chan struct{})
			var once atomic.Bool
			wait := func() bool {
				if !once.CompareAndSwap(false, true) {
					return false
				}
				close(reached)
				<-released
				return true
			}
			if after {
				w.sso.Refreshing(nil, func() { wait() })
			} else {
				w.sso.Refreshing(func() int {
					if wait() {
						return http.StatusServiceUnavailable // it died before it was heard
					}
					return 0
				}, nil)
			}
			return reached, func() { close(released) }
		}
	}
	const lease, write = "lease_owner = CASE", "version, lease_owner, lease_until, narrowed)"
	return []leaseStep{
		{name: "the lease is taken, and not known to be", hold: at(lease, faultproxy.Hold)},
		{name: "the provider is asked, and has not heard", hold: provider(false)},
		{name: "the provider has rotated, and not answered", hold: provider(true), lost: true},
		{name: "the fresh token is not written", hold: at(write, faultproxy.Pause), lost: true},
		{name: "the fresh token is written, and not known to be", hold: at(write, faultproxy.Hold)},
	}
}

// TestVault_LeaseholderKilled kills the node that refreshes, with kill -9, at each step.
// Whatever it left behind, the others serve the person again by themselves, or send the
// person to the provider where the fresh token died with the node; nobody's session ends.
func TestVault_LeaseholderKilled(t *testing.T) {
	for _, step := range leaseSteps()[soaks(0, 2):soaks(5, 3)] {
		t.Run(step.name, func(t *testing.T) {
			server := postgrestest.Start(t, postgrestest.Options{})
			database, err := url.Parse(server.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			proxy := faultproxy.StartPostgres(t, database.Host)
			direct := database.String()
			database.Host = proxy.Addr()
			w := startVault(t, database.String(), direct, direct)
			w.sso.TokensLive(stormLife)
			b := w.signIn(1)
			cookies := b.Cookies(mail + "/")
			expires := time.Now().Add(stormLife)
			storm(3, func(i int) (int, string, error) { return w.get(i, cookies) })
			until(expires.Add(time.Second))
			reached, release := step.hold(w, proxy)
			killed := make(chan struct{})
			go func() { defer close(killed); _, _, _ = w.get(0, cookies) }()
			select {
			case <-reached:
			case <-time.After(30 * time.Second):
				t.Fatal("the step was never reached")
			}
			w.nodes[0].Kill(t)
			release()
			<-killed
			w.sso.Refreshing(nil, nil)
			begin := time.Now()
			before := w.sso.Refreshes()
			status, token := 0, ""
			for end := begin.Add(time.Minute); time.Now().Before(end); <-time.After(100 * time.Millisecond) {
				if status, token, err = w.get(1+w.granted()%2, cookies); err != nil {
					t.Fatal(err)
				}
				if status != http.StatusServiceUnavailable {
					break
				}
			}
			after := time.Since(begin).Round(time.Millisecond)
			switch {
			case step.lost && status == http.StatusSeeOther:
				page := backFromProvider(b, b.Open(mail+"/"))
				if page.Status != http.StatusOK || page.Text() != "Bearer "+w.latest() {
					t.Errorf("back from the provider: %d %s\n%s", page.Status, page.Text(), page.Path())
				}
			case step.lost || status != http.StatusOK || token != w.latest():
				t.Errorf("answered %d after %v, lost %v, a current token %v", status, after, step.lost, token == w.latest())
			}
			if more := w.sso.Refreshes() - before; more > 1 {
				t.Errorf("%d refreshes were asked for after the kill", more)
			}
			// Her sign-in is as good as before.
			cookies = b.Cookies(mail + "/")
			if status, _, err := w.get(2, cookies); status != http.StatusOK || err != nil {
				t.Errorf("afterwards %d, %v", status, err)
			}
			t.Logf("served again %v after the kill (lost: %v)", after, step.lost)
		})
	}
}

// backFromProvider signs alice in once more, if she is asked to.
func backFromProvider(b *browser.Browser, page *browser.Page) *browser.Page {
	for _, form := range page.Forms() {
		if slices.Contains(form.Fields, "password") {
			return b.Submit(page, form, map[string]string{"username": "alice", "password": openid.Password})
		}
	}
	return page
}

// TestVault_KeyRotationUnderLoad changes the secret of three nodes, one after the other,
// while people use their tokens and those are refreshed all the time.
func TestVault_KeyRotationUnderLoad(t *testing.T) {
	gateway.Soak(t)
	w := startVault(t)
	w.sso.TokensLive(4 * time.Second)
	cookies := w.signIn(0).Cookies(mail + "/")
	done := make(chan *served)
	go func() {
		done <- asked(time.Duration(soaks(30, 15))*time.Second, 9, func(i int) (int, string, error) {
			<-time.After(10 * time.Millisecond)
			return w.get(i%3, cookies)
		})
	}()
	conn, err := pgx.Connect(t.Context(), w.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	keyID := func() (id string) {
		if err := conn.QueryRow(t.Context(), "SELECT key_id FROM provider_token").Scan(&id); err != nil {
			t.Error(err)
		}
		return id
	}
	former := keyID()
	for _, secrets := range []string{secretA + "\n\t\t" + secretB, secretB + "\n\t\t" + secretA} {
		for _, n := range w.nodes {
			if err := n.Reload(t, vaultCaddyfile(w.sso, secrets)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := <-done
	if len(s.bad) > 0 {
		t.Errorf("not served: %v", s.bad)
	}
	if now := keyID(); now == former {
		t.Error("the token is still sealed by the former secret")
	}
	t.Logf("%d requests while two secrets changed places: %d refreshes, p99 %v", len(s.times), w.sso.Refreshes(), s.p99().Round(time.Millisecond))
}

// TestVault_Figures measures tokens that are fresh, on three nodes: those that a guarded
// request passes on, and exchanges.
func TestVault_Figures(t *testing.T) {
	gateway.Soak(t)
	w := startVault(t)
	w.sso.TokensLive(time.Hour)
	b := w.signIn(0)
	cookies := b.Cookies(mail + "/")
	subject := w.accessToken(b)
	const window, workers = 5 * time.Second, 24
	for name, ask := range map[string]func(i int) (int, string, error){
		"fresh tokens served by the guard": func(i int) (int, string, error) { return w.get(i%3, cookies) },
		"exchanges":                        func(i int) (int, string, error) { return w.exchange(i%3, subject) },
	} {
		storm(9, ask)
		s := asked(window, workers, ask)
		if len(s.bad) > 0 || len(s.got) != 1 {
			t.Errorf("%s: %d different tokens, not served: %v", name, len(s.got), s.bad)
		}
		t.Logf("%s: %.0f a second, p99 %v (%d clients, three nodes, all on one machine)",
			name, float64(len(s.times))/window.Seconds(), s.p99().Round(10*time.Microsecond), workers)
	}
	if w.sso.Refreshes() > 0 {
		t.Error("tokens were refreshed that were good")
	}
}

// accessToken is alice's, for the client that exchanges it.
func (w *vaultWorld) accessToken(b *browser.Browser) string {
	w.Helper()
	verifier := oauth2.GenerateVerifier()
	b.StopAt("/cb")
	page := b.Open(issuer + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {exchanger}, "redirect_uri": {batchRedirect}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	if page.Next() == nil {
		w.Fatalf("no code: %d %s\n%s", page.Status, page.Text(), page.Path())
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {page.Next().Query().Get("code")}, "redirect_uri": {batchRedirect}, "code_verifier": {verifier},
	}
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(exchanger, url.QueryEscape(exchangeProof))
	_, body, err := w.answer(0, req)
	_, rest, found := strings.Cut(body, `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if err != nil || !found {
		w.Fatalf("no access token: %v %s", err, body)
	}
	w.secrets.Learn("access token", token)
	return token
}
