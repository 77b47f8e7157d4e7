package bench_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const (
	refreshIssuer   = "http://auth.localhost"
	refreshRedirect = "https://app.example/cb"
)

// BenchmarkRefreshAtADistance measures refresh grants, one after the other,
// with a time added to every round trip between the gateway and Postgres. A
// refresh is one round trip, so its time grows by that and no more.
func BenchmarkRefreshAtADistance(b *testing.B) {
	server := postgrestest.Start(b, postgrestest.Options{}) // one that waits for the disk
	database, err := url.Parse(server.URL(b))
	if err != nil {
		b.Fatal(err)
	}
	proxy := faultproxy.Start(b, database.Host)
	database.Host = proxy.Addr()
	node := startIssuer(b, database.String())
	for _, alg := range []string{"ES256", "RS256"} { // of the ID token that comes along
		refresher := newRefresher(b, node, strings.ToLower(alg))
		for range 50 { // connections, statements
			refresher.refresh(b)
		}
		refreshAtDistances(b, alg, proxy, refresher)
	}
}

func refreshAtDistances(b *testing.B, alg string, proxy *faultproxy.Proxy, refresher *refresher) {
	b.Helper()
	for _, added := range []time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond} {
		b.Run(alg+"/"+added.String(), func(b *testing.B) {
			proxy.Delay(added / 2) // in each direction
			refresher.refresh(b)
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				refresher.refresh(b)
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(milliseconds(times[len(times)/2]), "p50-ms")
			b.ReportMetric(milliseconds(times[len(times)*99/100]), "p99-ms")
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func startIssuer(b *testing.B, database string) *gateway.Node {
	b.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	return gateway.Start(b, gateway.Options{
		Env: []string{"DATABASE_URL=" + database, "GATEHOUSE_SECRET=the secret of this benchmark, long enough"},
		Caddyfile: fmt.Sprintf(`{
	gatehouse {
		issuer %[1]s
		token_store postgres {env.DATABASE_URL}
		secret {env.GATEHOUSE_SECRET}
		provider local {
			user alice %[2]s
		}
		client es256 {
			public
			first_party
			redirect_uri %[3]s
			scopes openid offline_access
			id_token_signing_alg ES256
		}
		client rs256 {
			public
			first_party
			redirect_uri %[3]s
			scopes openid offline_access
		}
	}
}
%[1]s {
	gatehouse_portal
}
`, refreshIssuer, hash, refreshRedirect),
	})
}

// refresher is a client with one refresh token, on one kept connection.
type refresher struct {
	http          *http.Client
	route         func(string) string
	client, token string
}

func newRefresher(b *testing.B, node *gateway.Node, client string) *refresher {
	b.Helper()
	person := browser.New(b, browser.Options{Route: node.Route, Learn: node.Secrets.Learn})
	person.StopAt("/cb")
	verifier := oauth2.GenerateVerifier()
	page := person.Open(refreshIssuer + "/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {refreshRedirect}, "scope": {"openid offline_access"},
		"state": {"s"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	page = person.Submit(page, person.Find(page, "password"), map[string]string{"username": "alice", "password": password})
	next := page.Next()
	if next == nil || !next.Query().Has("code") {
		b.Fatalf("signing in: status %d, %s", page.Status, page.Text())
	}
	code := next.Query().Get("code")
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	r := &refresher{http: &http.Client{Jar: jar, Timeout: 10 * time.Second}, route: node.Route, client: client}
	r.post(b, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {refreshRedirect}, "code_verifier": {verifier}})
	return r
}

func (r *refresher) refresh(b *testing.B) {
	b.Helper()
	r.post(b, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.token}})
}

func (r *refresher) post(b *testing.B, form url.Values) {
	b.Helper()
	form.Set("client_id", r.client)
	address, err := url.Parse(refreshIssuer)
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+r.route(address.Host+":80")+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	req.Host = address.Host
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := r.http.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.Refresh == "" {
		b.Fatalf("status %d, %s: %v", answer.StatusCode, tokens.Error, err)
	}
	r.token = tokens.Refresh
}
