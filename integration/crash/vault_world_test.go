package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const (
	mail          = "http://mail.localhost" // answers with the token that it is passed
	exchanger     = "batch"
	exchangeProof = "the secret of the client batch, long enough"
	batchRedirect = "https://batch.example/cb"
)

// vaultWorld is three nodes that keep the tokens of one provider, which rotates refresh
// tokens and refuses those that were used.
type vaultWorld struct {
	*testing.T
	sso      *openid.Provider
	database string
	nodes    []*gateway.Node
	programs []*http.Client // one for each node
	secrets  *gateway.Secrets
}

func vaultCaddyfile(sso *openid.Provider, lines ...string) string {
	return fmt.Sprintf(`{
	gatehouse {
		issuer %[1]s
		token_store postgres {env.DATABASE_URL}
		cache redis {env.REDIS_URL}
		%[2]s
		provider sso oidc %[3]s {
			client_id %[4]s
			client_secret "%[5]s"
			scopes openid profile email offline_access
			store_tokens
		}
		client %[6]s {
			secret "%[7]s"
			first_party
			redirect_uri %[8]s
			may_exchange sso
			access_token_lifetime 12h
		}
	}
}
%[1]s {
	gatehouse_portal
}
%[9]s {
	gatehouse {
		provider_token sso
	}
	respond "{http.request.header.Authorization}"
}
`, issuer, strings.Join(lines, "\n\t\t"), sso.Issuer, openid.ClientID, openid.ClientSecret, exchanger, exchangeProof, batchRedirect, mail)
}

// startVault starts the nodes, each with the database that its position has, or else the
// server's own.
func startVault(t *testing.T, databases ...string) *vaultWorld {
	t.Helper()
	w := &vaultWorld{T: t, sso: openid.Start(t, issuer+"/callback/sso"), secrets: new(gateway.Secrets), database: postgrestest.URL(t)}
	w.sso.Learn(w.secrets.Learn)
	redis := redistest.URL(t)
	for i := range 3 {
		database := w.database
		if i < len(databases) {
			database = databases[i]
		}
		w.nodes = append(w.nodes, gateway.Start(t, gateway.Options{
			Caddyfile: vaultCaddyfile(w.sso, secretA), Env: environment(database, redis), Secrets: w.secrets,
		}))
	}
	for _, n := range w.nodes {
		transport := &http.Transport{MaxIdleConnsPerHost: 128, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, n.Route(address))
		}}
		t.Cleanup(transport.CloseIdleConnections)
		w.programs = append(w.programs, &http.Client{
			Transport: transport, Timeout: time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		})
	}
	return w
}

// signIn has alice sign in at the provider, by way of a node, for a site's page or a
// client, and returns her browser.
func (w *vaultWorld) signIn(node int) *browser.Browser {
	w.Helper()
	b := browser.New(w.T, browser.Options{Route: w.nodes[node].Route, Learn: w.secrets.Learn})
	page := b.Open(mail + "/")
	page = b.Submit(page, b.Find(page, "password"), map[string]string{"username": "alice", "password": openid.Password})
	if page.Status != http.StatusOK || page.Text() != "Bearer "+w.latest() {
		w.Fatalf("signed in, alice gets %d %s\n%s", page.Status, page.Text(), page.Path())
	}
	return b
}

// latest is the access token that the provider issued at last.
func (w *vaultWorld) latest() string {
	issued := w.sso.Issued()
	return issued[len(issued)-1].Access
}

// granted is how many fresh tokens the provider has issued.
func (w *vaultWorld) granted() int { return len(w.sso.Issued()) }

// get asks a node for the page, as a browser does, and returns what is answered.
func (w *vaultWorld) get(node int, cookies []*http.Cookie) (status int, token string, err error) {
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, mail+"/", nil)
	if err != nil {
		return 0, "", err
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	return w.answer(node, req)
}

func (w *vaultWorld) answer(node int, req *http.Request) (status int, text string, err error) {
	resp, err := w.programs[node].Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimPrefix(string(body), "Bearer "), err
}

// exchange has the client exchange alice's access token at a node.
func (w *vaultWorld) exchange(node int, subject string) (status int, token string, err error) {
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {subject},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
	}
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(exchanger, url.QueryEscape(exchangeProof))
	status, body, err := w.answer(node, req)
	var got struct {
		Access string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(body), &got)
	return status, got.Access, err
}

// served is what many requests got.
type served struct {
	mu    sync.Mutex
	times []time.Duration
	bad   map[string]int
	got   map[string]int // by token
}

func (s *served) note(took time.Duration, status int, token string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == nil {
		s.bad, s.got = map[string]int{}, map[string]int{}
	}
	if err != nil || status != http.StatusOK || token == "" {
		s.bad[fmt.Sprintf("%d %v", status, err)]++
		return
	}
	s.times = append(s.times, took)
	s.got[token]++
}

// p99 of the good ones.
func (s *served) p99() time.Duration {
	slices.Sort(s.times)
	if len(s.times) == 0 {
		return 0
	}
	return s.times[len(s.times)*99/100]
}

// storm makes n requests at once, over all nodes by turns.
func storm(n int, ask func(i int) (int, string, error)) *served {
	var s served
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			begin := time.Now()
			status, token, err := ask(i)
			s.note(time.Since(begin), status, token, err)
		})
	}
	wg.Wait()
	return &s
}

// asked has workers ask for a time.
func asked(d time.Duration, workers int, ask func(i int) (int, string, error)) *served {
	var s served
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for worker := range workers {
		wg.Go(func() {
			for i := worker; time.Now().Before(end); i += workers {
				begin := time.Now()
				status, token, err := ask(i)
				s.note(time.Since(begin), status, token, err)
			}
		})
	}
	wg.Wait()
	return &s
}

// until waits for a moment.
func until(t time.Time) { <-time.After(time.Until(t)) }
