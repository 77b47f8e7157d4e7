package integration_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// clusterApp is an application whose users stay signed in by refresh tokens.
const clusterApp = `client app {
	public
	first_party
	redirect_uri https://app.example/callback
	grants authorization_code refresh_token
	scopes openid offline_access
}`

// program talks to one node as an application does.
type program struct {
	*http.Client
	learn func(what, value string)
}

func newProgram(t *testing.T, n *gateway.Node) program {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, n.Route(address))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return program{&http.Client{Transport: transport, Timeout: 30 * time.Second}, n.Secrets.Learn}
}

// grant is what the token endpoint answers.
type grant struct {
	status  int
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (p program) post(endpoint string, form url.Values) (g grant, err error) {
	resp, err := p.PostForm(clusterSite+"/.gatehouse/"+endpoint, form)
	if err != nil {
		return g, err
	}
	defer func() { _ = resp.Body.Close() }()
	g.status = resp.StatusCode
	_ = json.NewDecoder(resp.Body).Decode(&g) // a revocation answers nothing
	p.learn("access token", g.Access)
	p.learn("refresh token", g.Refresh)
	return g, nil
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {token}}
}

// signInApp signs alice in at the application.
func signInApp(t *testing.T, b *browser.Browser, p program) grant {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	query := url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"https://app.example/callback"}, "scope": {"openid offline_access"},
		"resource": {clusterSite}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	b.StopAt("/callback")
	page := login(t, b, b.Open(clusterSite+"/.gatehouse/authorize?"+query.Encode()), "alice", alicePassword)
	b.StopAt("")
	next := page.Next()
	if next == nil || next.Query().Get("code") == "" {
		t.Fatalf("no code:\n%s%s", page.Path(), page.Text())
	}
	got, err := p.post("token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": next.Query()["code"],
		"redirect_uri": {"https://app.example/callback"}, "code_verifier": {verifier},
	})
	if err != nil || got.Access == "" || got.Refresh == "" {
		t.Fatalf("redeeming the code: %d %s (%v)", got.status, got.Error, err)
	}
	return got
}

// A hundred requests of one application, on three nodes, find that its access
// token has expired: nobody may be signed out, and one successor is made.
func TestThreeNodes_ParallelRefreshesHaveOneSuccessor(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 3, localUsers(t), clusterApp)
	programs := make([]program, len(nodes))
	for i, n := range nodes {
		programs[i] = newProgram(t, n)
	}
	current := signInApp(t, newBrowser(t, nodes[0]), programs[0])
	for round := range 5 {
		const callers = 100
		answers := make([]grant, callers)
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range callers {
			all.Go(func() {
				<-start
				var err error
				if answers[i], err = programs[i%len(programs)].post("token", refreshForm(current.Refresh)); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		for i, a := range answers {
			if a.status != http.StatusOK || a.Refresh != answers[0].Refresh || a.Refresh == current.Refresh {
				t.Fatalf("round %d: caller %d got %d %s, or another successor", round, i, a.status, a.Error)
			}
		}
		current = answers[0]
	}
	wantRevokedEverywhere(t, programs, current)
}

// wantRevokedEverywhere revokes on the first node what was granted, and has all
// nodes refuse it: both tokens, wherever they are replayed.
func wantRevokedEverywhere(t *testing.T, programs []program, g grant) {
	t.Helper()
	opens := func(p program) bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, clusterSite+"/", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+g.Access)
		resp, err := p.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	for i, p := range programs {
		if !opens(p) {
			t.Fatalf("node %d does not take the access token", i)
		}
	}
	if got, err := programs[0].post("revoke", url.Values{"client_id": {"app"}, "token": {g.Refresh}}); err != nil || got.status != http.StatusOK {
		t.Fatalf("revoking: %d %s (%v)", got.status, got.Error, err)
	}
	for i, p := range programs {
		await(t, 30*time.Second, "refusal of the access token", func() bool { return !opens(p) })
		if got, err := p.post("token", refreshForm(g.Refresh)); err != nil || got.Error != "invalid_grant" {
			t.Errorf("node %d answers a revoked refresh token with %d %s (%v)", i, got.status, got.Error, err)
		}
	}
}

// readGrant reads what the token endpoint answers.
func readGrant(t testing.TB, p program, resp *http.Response) grant {
	t.Helper()
	g := grant{status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&g); err != nil {
		t.Fatal(err)
	}
	p.learn("access token", g.Access)
	p.learn("refresh token", g.Refresh)
	return g
}

// device is what the device authorization endpoint answers.
type device struct {
	Code     string `json:"device_code"`
	Complete string `json:"verification_uri_complete"`
}

func readDevice(t testing.TB, p program, resp *http.Response) (d device) {
	t.Helper()
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || d.Code == "" {
		t.Fatalf("starting a device: %d (%v)", resp.StatusCode, err)
	}
	p.learn("device code", d.Code)
	return d
}
