package crash_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/crash"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// TestSecrets_ChangeNodeByNode has two nodes that are at neighbouring steps of
// a change from secret A to B: what one hands out the other takes, both ways.
func TestSecrets_ChangeNodeByNode(t *testing.T) {
	t.Parallel()
	steps := map[string][]string{"A": {secretA}, "A B": {secretA, secretB}, "B A": {secretB, secretA}, "B": {secretB}}
	for _, pair := range [][2]string{{"A", "A B"}, {"A B", "B A"}, {"B A", "B"}} {
		t.Run(pair[0]+" and "+pair[1], func(t *testing.T) {
			t.Parallel()
			nodes := startNodes(t, postgrestest.URL(t), redistest.URL(t),
				caddyfile(t, inside, steps[pair[0]]...), caddyfile(t, inside, steps[pair[1]]...))
			agree(newVisit(t, nodes[0], nodes[1]))
			agree(newVisit(t, nodes[1], nodes[0]))
		})
	}
}

// agree has the other node take what the first one hands out.
func agree(v visit) {
	v.Helper()
	const first, other = 0, 1
	cookie, portal := v.signIn()
	for what, c := range map[string]credential{"the site's cookie": cookie, "the portal's cookie": portal} {
		for _, node := range []int{other, first} {
			if !v.good(node, c) {
				v.Errorf("%s is refused by node %d", what, node)
			}
		}
	}
	got := v.redeem(other, v.code())
	if !v.good(first, accessToken(got.Access)) || !v.good(other, accessToken(got.Access)) {
		v.Error("an access token is refused")
	}
	var ledger crash.Ledger
	family := &refreshToken{client: "web", token: got.Refresh, ledger: &ledger, family: "f"}
	for i, node := range []int{first, other, other, first, first} {
		if !v.good(node, family) {
			v.Fatalf("refresh %d is refused by node %d", i, node)
		}
	}
	// Two nodes may spell one generation in two ways; both are good.
	before := *family
	_, one, err := before.exchange(v.Context(), v.Visitor, first)
	if err != nil {
		v.Fatal(err)
	}
	_, two, err := before.exchange(v.Context(), v.Visitor, other)
	if err != nil {
		v.Fatal(err)
	}
	for _, spelling := range []string{one, two} {
		again := &refreshToken{client: "web", token: spelling, ledger: &ledger, family: "f"}
		if !v.good(first, again) {
			v.Error("a spelling of the successor is refused")
		}
	}
}
