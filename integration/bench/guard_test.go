package bench_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/bench"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const (
	window   = time.Second
	password = "wonderland"
	guarded  = "http://guarded.localhost"
)

// What is measured with, from the line of make bench-guard.
var (
	connectionsFlag = flag.Int("connections", 16, "how many connections each target has")
	sessionsFlag    = flag.Int("sessions", 1, "how many live sessions the gateway knows; requests go round them")
	tokenFlag       = flag.Bool("token", false, "whether guarded requests have an access token, and no session")
)

// targets are the sites of one gateway: a guarded one, reverse_proxy that sets
// the same headers, the same again to show how much two equal things differ,
// and reverse_proxy alone.
var targets = []string{"guarded", "plain", "plain-again", "bare"}

// BenchmarkGuardedRequest measures a guarded request against plain reverse_proxy, in
// rounds of one-second windows, one window a target; oauth2-proxy has one, too, where it
// is installed. The benchmark's count is the number of rounds.
func BenchmarkGuardedRequest(b *testing.B) {
	if b.N == 1 {
		return // the benchmark's trial run, for which nobody should wait
	}
	g := start(b)
	g.open(b)
	samples := bench.Samples{}
	order := slices.Clone(g.targets)
	b.ResetTimer()
	for round := range b.N {
		for _, name := range order {
			samples[name] = append(samples[name], measureProcess(b, g.pid(name), g.load[name]))
		}
		slices.Reverse(order) // whatever drifts, drifts both ways
		if (round+1)%10 == 0 {
			fmt.Fprintf(os.Stderr, "%d of %d rounds\n", round+1, b.N)
		}
	}
	b.StopTimer()

	throughput, cost := samples.Ratio("guarded", "plain")
	b.ReportMetric(throughput, "throughput-ratio")
	b.ReportMetric(cost, "cpu-ratio")
	b.ReportMetric(0, "ns/op")
	fmt.Fprintf(os.Stdout, "\n%d connections, %d live sessions, %s\n", *connectionsFlag, *sessionsFlag, g.credential())
	pairs := []bench.Pair{
		{A: "guarded", B: "plain", Bar: "throughput ≥ 0.97, CPU ≤ 1.05"},
		{A: "plain-again", B: "plain"},
		{A: "guarded", B: "bare"},
	}
	if g.other != nil {
		pairs = append(pairs, bench.Pair{A: "oauth2-proxy", B: "bare"})
	}
	if err := samples.Print(os.Stdout, g.targets, pairs); err != nil {
		b.Fatal(err)
	}
}

// measureProcess measures one window of a target, and the processor time of a process
// meanwhile.
func measureProcess(b *testing.B, pid int, target *bench.Target) bench.Sample {
	b.Helper()
	cpu := func() time.Duration {
		used, err := bench.CPU(pid)
		if err != nil {
			b.Fatal(err)
		}
		return used
	}
	before, start := cpu(), time.Now()
	requests, err := target.Run(window)
	if err != nil {
		b.Fatal(err)
	}
	return bench.Sample{Requests: requests, Window: time.Since(start), CPU: cpu() - before}
}

// guardBench is a gateway under load, and oauth2-proxy where that is installed.
type guardBench struct {
	node    *gateway.Node
	store   string // the file of the token store
	other   *oauth2Proxy
	targets []string
	load    map[string]*bench.Target
}

func start(b *testing.B) *guardBench {
	b.Helper()
	upstream, err := bench.Upstream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	g := &guardBench{store: filepath.Join(b.TempDir(), "tokens.db"), targets: targets, load: map[string]*bench.Target{}}
	// Connections to the upstream are kept, so that opening them does not hide the rest.
	keep := fmt.Sprintf("transport http {\n\t\t\tkeepalive_idle_conns_per_host %d\n\t\t}", max(32, *connectionsFlag))
	sameHeaders := "header_up Remote-User alice\n\t\theader_up Remote-Email alice@example.com\n\t\theader_up Remote-Groups staff"
	if *tokenFlag {
		sameHeaders = "header_up Remote-User client:robot\n\t\theader_up -Authorization"
	}
	g.node = gateway.Start(b, gateway.Options{Caddyfile: fmt.Sprintf(`{
	gatehouse {
		secret %[4]q
		token_store sqlite %[5]s
		provider local {
			user alice %[1]s {
				email alice@example.com
				groups staff
			}
		}
		client robot {
			secret %[6]s
			grants client_credentials
			resources %[7]s
		}
	}
}
(proxy) {
	reverse_proxy %[2]s {
		%[8]s
		{block}
	}
}
http://guarded.localhost {
	gatehouse
	import proxy
}
http://plain.localhost {
	import proxy {
		%[3]s
	}
}
http://plain-again.localhost {
	import proxy {
		%[3]s
	}
}
http://bare.localhost {
	import proxy
}
`, hash, upstream, sameHeaders, seedSecret, g.store, robotSecret, guarded, keep)})
	if program := oauth2ProxyProgram(); program != "" {
		g.other = startOAuth2Proxy(b, program, "http://"+upstream)
		g.targets = append(slices.Clone(targets), "oauth2-proxy")
	}
	return g
}

func (g *guardBench) credential() string {
	if *tokenFlag {
		return "an access token"
	}
	return "sessions"
}

// pid is the process that answers for a target.
func (g *guardBench) pid(name string) int {
	if name == "oauth2-proxy" {
		return g.other.command.Process.Pid
	}
	return g.node.PID()
}

// open connects to the targets, whose requests have all the sessions, or a token beside
// them.
func (g *guardBench) open(b *testing.B) {
	b.Helper()
	cookies := g.sessions(b)
	var credentials []string
	for _, cookie := range cookies {
		credentials = append(credentials, "Cookie: theme=dark; "+cookie)
	}
	warm(b, g.node.Route("x:80"), requests("guarded", credentials))
	if *tokenFlag {
		credentials = []string{"Authorization: Bearer " + g.token(b)}
	}
	for _, name := range g.targets {
		address, lines := g.node.Route("x:80"), credentials
		if name == "oauth2-proxy" {
			address, lines = g.other.address, []string{"Cookie: theme=dark; " + g.other.signIn(b)}
		}
		target, err := bench.Open(b.Context(), address, requests(name, lines), *connectionsFlag)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = target.Close() })
		g.load[name] = target
		if _, err := target.Run(window / 2); err != nil { // warm
			b.Fatalf("%s: %v", name, err)
		}
	}
}

// requests are those to a target, one for each line of credentials.
func requests(name string, credentials []string) [][]byte {
	all := make([][]byte, 0, len(credentials))
	for _, line := range credentials {
		all = append(all, fmt.Appendf(nil, "GET /reports?year=2026 HTTP/1.1\r\nHost: %s.localhost\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\nAccept-Language: en\r\n%s\r\n\r\n", name, line))
	}
	return all
}

// warm sends each request once.
func warm(b *testing.B, address string, all [][]byte) {
	b.Helper()
	target, err := bench.Open(b.Context(), address, all, min(len(all), 64))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	if err := target.RunAll(); err != nil {
		b.Fatalf("warming up: %v", err)
	}
}

// firstSession signs in and returns the Cookie header of the guarded site.
func firstSession(b *testing.B, node *gateway.Node) string {
	b.Helper()
	person := browser.New(b, browser.Options{Route: node.Route, Learn: node.Secrets.Learn})
	page := person.Open(guarded + "/")
	page = person.Submit(page, person.Find(page, "password"), map[string]string{"username": "alice", "password": password})
	if page.Status != http.StatusOK {
		b.Fatalf("signing in: status %d\n%s", page.Status, page.Path())
	}
	return cookieLine(person, guarded+"/")
}

// cookieLine is what a browser sends to an address.
func cookieLine(person *browser.Browser, address string) string {
	var pairs []string
	for _, cookie := range person.Cookies(address) {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(pairs, "; ")
}
