package integration_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// newCode gets somebody who is signed in a code for the application, and returns
// what redeems it.
func newCode(t *testing.T, b *browser.Browser) url.Values {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	b.StopAt("/callback")
	page := b.Open(clusterSite + "/.gatehouse/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"https://app.example/callback"}, "scope": {"openid offline_access"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	b.StopAt("")
	if page.Next() == nil {
		t.Fatalf("no code:\n%s%s", page.Path(), page.Text())
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": page.Next().Query()["code"],
		"redirect_uri": {"https://app.example/callback"}, "code_verifier": {verifier},
	}
}

// TestTwoNodes_OfTwoRedemptionsAtOnceOneWins: each node has been given the code, and
// is about to store its session, when the other is. One wins, and keeps what it got;
// the other is refused and taken for no thief.
func TestTwoNodes_OfTwoRedemptionsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	database, err := url.Parse(postgrestest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	target, shared, secrets := database.Host, redistest.URL(t), new(gateway.Secrets)
	var nodes [2]*gateway.Node
	var proxies [2]*faultproxy.Postgres
	var programs [2]program
	caddyfile := global(localUsers(t), clusterApp, "token_store postgres {env.DATABASE_URL}", "cache redis {env.REDIS_URL}", "secret {env.GATEHOUSE_SECRET}") +
		guarded(clusterSite, upstreamAddr(t), "")
	for i := range nodes {
		proxies[i] = faultproxy.StartPostgres(t, target)
		database.Host = proxies[i].Addr()
		nodes[i] = gateway.Start(t, gateway.Options{Caddyfile: caddyfile, Env: sharedEnv(database.String(), shared), Secrets: secrets})
		programs[i] = newProgram(t, nodes[i])
	}
	b := newBrowser(t, nodes[0])
	signIn(t, b, clusterSite+"/", "alice", alicePassword)
	for round, tries := 0, 0; round < 20; tries++ {
		if tries == 60 {
			t.Fatalf("only %d rounds went through", round)
		}
		form := newCode(t, b)
		var answers [2]chan grant
		for i, p := range programs {
			trap := proxies[i].Set(1, faultproxy.Pause, storesSession)
			answers[i] = make(chan grant, 1)
			go func() {
				got, err := p.post("token", form)
				if err != nil {
					t.Error(err)
				}
				answers[i] <- got
			}()
			select {
			case <-trap.Reached():
			case <-time.After(30 * time.Second):
				t.Fatalf("node %d does not store a session", i)
			}
		}
		first := round / 2 % 2
		proxies[first].Heal()
		var got [2]grant
		if round%2 == 0 { // else at the same moment, as far as that can be
			got[first] = <-answers[first]
		}
		proxies[1-first].Heal()
		for i := range got {
			if got[i].status == 0 {
				got[i] = <-answers[i]
			}
		}
		if got[0].status == http.StatusServiceUnavailable || got[1].status == http.StatusServiceUnavailable {
			continue // the machine stood still for longer than a node waits for its store
		}
		winner := 0
		if got[1].status == http.StatusOK {
			winner = 1
		}
		won, lost := got[winner], got[1-winner]
		if won.status != http.StatusOK || lost.Error != "invalid_grant" || round%2 == 0 && winner != first {
			t.Fatalf("round %d: %d %s, and %d %s", round, won.status, won.Error, lost.status, lost.Error)
		}
		for _, i := range []int{1 - winner, winner} { // its tokens are good everywhere
			if won, err = programs[i].post("token", refreshForm(won.Refresh)); err != nil || won.status != http.StatusOK {
				t.Fatalf("round %d: a refresh at node %d: %d %s, %v", round, i, won.status, won.Error, err)
			}
		}
		if again, err := programs[round%2].post("token", form); err != nil || again.Error != "invalid_grant" {
			t.Fatalf("round %d: a replay: %d %s, %v", round, again.status, again.Error, err)
		}
		if after, err := programs[winner].post("token", refreshForm(won.Refresh)); err != nil || after.Error != "invalid_grant" {
			t.Fatalf("round %d: after a replay, a refresh: %d %s, %v", round, after.status, after.Error, err)
		}
		round++
	}
}
