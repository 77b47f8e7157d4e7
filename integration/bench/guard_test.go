package bench_test

import (
	"fmt"
	"net/http"
	"os"
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
	window      = time.Second
	connections = 16
	password    = "wonderland"
)

// targets are the sites of one gateway: a guarded one, reverse_proxy that sets
// the same headers, the same again to show how much two equal things differ,
// and reverse_proxy alone.
var targets = []string{"guarded", "plain", "plain-again", "bare"}

// BenchmarkGuardedRequest measures a guarded request with a session against
// plain reverse_proxy, in rounds of one-second windows, one window a target.
// The benchmark's count is the number of rounds.
func BenchmarkGuardedRequest(b *testing.B) {
	node := start(b)
	cookie := session(b, node)
	load := map[string]*bench.Target{}
	for _, name := range targets {
		request := fmt.Sprintf("GET /reports?year=2026 HTTP/1.1\r\nHost: %s.localhost\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\nAccept-Language: en\r\nCookie: %s\r\n\r\n", name, cookie)
		target, err := bench.Open(b.Context(), node.Route("x:80"), []byte(request), connections)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = target.Close() })
		load[name] = target
		if _, err := target.Run(window / 2); err != nil { // warm
			b.Fatalf("%s: %v", name, err)
		}
	}

	samples := bench.Samples{}
	order := slices.Clone(targets)
	b.ResetTimer()
	for round := range b.N {
		for _, name := range order {
			samples[name] = append(samples[name], measure(b, node, load[name]))
		}
		slices.Reverse(order) // whatever drifts, drifts both ways
		if b.N > 1 && (round+1)%10 == 0 {
			fmt.Fprintf(os.Stderr, "%d of %d rounds\n", round+1, b.N)
		}
	}
	b.StopTimer()

	throughput, cost := samples.Ratio("guarded", "plain")
	b.ReportMetric(throughput, "throughput-ratio")
	b.ReportMetric(cost, "cpu-ratio")
	b.ReportMetric(0, "ns/op")
	if b.N == 1 {
		return // the benchmark's trial run
	}
	err := samples.Print(os.Stdout, targets, []bench.Pair{
		{A: "guarded", B: "plain", Bar: "throughput ≥ 0.97, CPU ≤ 1.05"},
		{A: "plain-again", B: "plain"},
		{A: "guarded", B: "bare"},
	})
	if err != nil {
		b.Fatal(err)
	}
}

func measure(b *testing.B, node *gateway.Node, target *bench.Target) bench.Sample {
	b.Helper()
	return measureProcess(b, node.PID(), target)
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

func start(b *testing.B) *gateway.Node {
	b.Helper()
	upstream, err := bench.Upstream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	sameHeaders := "{\n\theader_up Remote-User alice\n\theader_up Remote-Email alice@example.com\n\theader_up Remote-Groups staff\n}"
	return gateway.Start(b, gateway.Options{Caddyfile: fmt.Sprintf(`{
	gatehouse {
		provider local {
			user alice %s {
				email alice@example.com
				groups staff
			}
		}
	}
}
http://guarded.localhost {
	gatehouse
	reverse_proxy %[2]s
}
http://plain.localhost {
	reverse_proxy %[2]s %[3]s
}
http://plain-again.localhost {
	reverse_proxy %[2]s %[3]s
}
http://bare.localhost {
	reverse_proxy %[2]s
}
`, hash, upstream, sameHeaders)})
}

// session signs in and returns the Cookie header of the guarded site.
func session(b *testing.B, node *gateway.Node) string {
	b.Helper()
	const site = "http://guarded.localhost/"
	person := browser.New(b, browser.Options{Route: node.Route, Learn: node.Secrets.Learn})
	page := person.Open(site)
	page = person.Submit(page, person.Find(page, "password"), map[string]string{"username": "alice", "password": password})
	if page.Status != http.StatusOK {
		b.Fatalf("signing in: status %d\n%s", page.Status, page.Path())
	}
	var pairs []string
	for _, cookie := range person.Cookies(site) {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(pairs, "; ")
}
