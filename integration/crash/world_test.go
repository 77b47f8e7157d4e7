package crash_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const (
	issuer   = "http://auth.localhost"
	site     = "http://app.localhost"
	redirect = "https://app.example/cb"
	password = "wonderland"
	// people who may sign in: person-0 and so on.
	people = 8
)

// envKills is how often the long tests kill; defaultKills without it.
const (
	envKills     = "GATEHOUSE_TEST_KILLS"
	defaultKills = 4
)

// TestMain builds the gateway before the first test's clock starts.
func TestMain(m *testing.M) {
	if _, err := gateway.Build(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv(envKills)
	if text == "" {
		return defaultKills
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a number of kills: %q", envKills, text)
	}
	return n
}

// passwordHash is the same for all Caddyfiles: another hash, though of the same
// password, ends the sessions that came from the former.
var passwordHash = sync.OnceValues(func() ([]byte, error) {
	return bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
})

// caddyfile is one of a gateway with a portal, a guarded site, a client for
// browsers and one for devices, and the given lines in the gatehouse block. The
// site answers by what app says.
func caddyfile(t *testing.T, app string, lines ...string) string {
	t.Helper()
	hash, err := passwordHash()
	if err != nil {
		t.Fatal(err)
	}
	var users strings.Builder
	for n := range people {
		_, _ = fmt.Fprintf(&users, "\t\t\tuser person-%d %s\n", n, hash)
	}
	return fmt.Sprintf(`{
	gatehouse {
		issuer %[1]s
		token_store postgres {env.DATABASE_URL}
		cache redis {env.REDIS_URL}
		%[2]s
		provider local {
%[3]s		}
		client web {
			public
			first_party
			redirect_uri %[4]s
			grants authorization_code refresh_token
			scopes openid offline_access
			resources %[5]s
			access_token_lifetime 12h # longer than any run
		}
		client cli {
			public
			grants device_code refresh_token
			scopes openid offline_access
			resources %[5]s
			access_token_lifetime 12h # longer than any run
		}
	}
}
%[1]s {
	gatehouse_portal
}
%[5]s {
	gatehouse
	%[6]s
}
`, issuer, strings.Join(lines, "\n\t\t"), users.String(), redirect, site, app)
}

// Lines for the gatehouse block.
const (
	secretA = "secret {env.SECRET_A}"
	secretB = "secret {env.SECRET_B}"
)

// startNodes starts nodes on one database and one Redis, each with a
// configuration of its own.
func startNodes(t *testing.T, database, redis string, configurations ...string) []*gateway.Node {
	t.Helper()
	secrets := new(gateway.Secrets)
	nodes := make([]*gateway.Node, len(configurations))
	for i, text := range configurations {
		nodes[i] = gateway.Start(t, gateway.Options{Caddyfile: text, Env: environment(database, redis), Secrets: secrets})
	}
	return nodes
}

func environment(database, redis string) []string {
	return []string{
		"DATABASE_URL=" + database, "REDIS_URL=" + redis,
		"SECRET_A=the first secret of this cluster, long enough", "SECRET_B=the second secret of this cluster, long too",
	}
}

// routes say where the nodes are.
func routes(nodes []*gateway.Node) []func(string) string {
	all := make([]func(string) string, len(nodes))
	for i, n := range nodes {
		all[i] = n.Route
	}
	return all
}
