package caddymodule

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxWarmAllocs is the bar for the guard's own work on a warm request.
const maxWarmAllocs = 8

// maxClaimAllocs is the bar for what claims, an expression and an assertion add to it.
const maxClaimAllocs = 4

// warm is a guard and requests of somebody whom it knows, as Caddy hands them
// over.
type warm struct {
	guard  *Guard
	header http.Header
	slots  [16]warmSlot
}

// warmSlot is a request that is used again and again.
type warmSlot struct {
	request *http.Request
	vars    map[string]any
	repl    *caddy.Replacer
	pure    caddy.Replacer // the replacer before the guard saw it
}

// browserHeaders are what Chrome sends with a click on a link, cookies apart.
var browserHeaders = map[string]string{
	"Accept":                    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
	"Accept-Encoding":           "gzip, deflate, br, zstd",
	"Accept-Language":           "en-GB,en;q=0.9,de;q=0.8",
	"Cache-Control":             "max-age=0",
	"Connection":                "keep-alive",
	"Referer":                   "http://app.example.com/",
	"Sec-Ch-Ua":                 `"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"`,
	"Sec-Ch-Ua-Mobile":          "?0",
	"Sec-Ch-Ua-Platform":        `"Linux"`,
	"Sec-Fetch-Dest":            "document",
	"Sec-Fetch-Mode":            "navigate",
	"Sec-Fetch-Site":            "same-origin",
	"Sec-Fetch-User":            "?1",
	"Upgrade-Insecure-Requests": "1",
	"User-Agent":                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
}

// programHeaders are what a program sends, its token apart.
var programHeaders = map[string]string{"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "robot/1.0"}

// warmGuards are guards by what their requests bring: a browser's session or a
// program's token, or nothing, where the path is open to all.
func warmGuards(tb testing.TB) map[string]*warm {
	tb.Helper()
	tb.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	alice := strings.Replace(aliceLocal, "groups staff", "groups staff\n\t\tclaim department physics\n\t\tclaim office B1\n\t\tclaim site cern", 1)
	r := serve(tb, alice+apiClient+"policy staff {\n\tallow group staff\n\tallow user client:robot\n}\n"+
		"policy lab {\n\tallow claim department physics claim office B1 claim site cern\n\tdeny expression `\"interns\" in groups`\n}\n",
		"http://auth.example.com {\n\tgatehouse_portal\n}\n"+
			"http://app.example.com, http://api.example.com {\n\tgatehouse staff\n\trespond ok\n}\n"+
			"http://lab.example.com {\n\tgatehouse lab {\n\t\theaders {\n\t\t\tclaim department X-Department\n\t\t\tclaim office X-Office\n\t\t\tclaim site X-Site\n\t\t\tassertion X-Assertion\n\t\t}\n\t\trequire max_age 10m\n\t}\n\trespond ok\n}\n"+
			"http://open.example.com {\n\tgatehouse /admin/* staff\n\trespond ok\n}")
	browser := http.Header{"Cookie": {"_ga=GA1.1.1033265918.1760000000; theme=dark; " + r.signIn("app.example.com", nil).String() + "; lang=en"}}
	for name, value := range browserHeaders {
		browser.Set(name, value)
	}
	lab := browser.Clone()
	lab.Set("Cookie", "_ga=GA1.1.1033265918.1760000000; theme=dark; "+r.signIn("lab.example.com", nil).String()+"; lang=en")
	program := http.Header{"Authorization": {"Bearer " + r.token("http://api.example.com")}}
	for name, value := range programHeaders {
		program.Set(name, value)
	}
	return map[string]*warm{
		"session": r.warm("http://app.example.com/reports?year=2026", browser),
		"token":   r.warm("http://api.example.com/reports?year=2026", program),
		"claims":  r.warm("http://lab.example.com/reports?year=2026", lab),
		"open":    r.warm("http://open.example.com/reports?year=2026", browser),
	}
}

// warm makes the requests for a URL.
func (r *running) warm(url string, header http.Header) *warm {
	w := &warm{header: header}
	for i := range w.slots {
		req := get(url)
		req.Header = make(http.Header, len(header)) // as net/http makes it
		repl := caddy.NewReplacer()
		req = caddyhttp.PrepareRequest(req, repl, nil, r.srv[":80"])
		vars, _ := req.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
		w.slots[i] = warmSlot{request: req, vars: vars, repl: repl, pure: *repl}
	}
	for _, g := range r.app.guards {
		if g.knows(w.slots[0].request.Host) {
			w.guard = g
		}
	}
	return w
}

// renew makes the requests as they were before the guard saw them.
func (w *warm) renew() {
	for i := range w.slots {
		s := &w.slots[i]
		clear(s.request.Header)
		maps.Copy(s.request.Header, w.header)
		delete(s.vars, verdictVar)
		*s.repl = s.pure
	}
}

var okHandler = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

func TestGuard_WarmRequestAllocatesLittle(t *testing.T) {
	allocs := make(map[string]float64)
	for name, warm := range warmGuards(t) {
		rec := httptest.NewRecorder()
		i := len(warm.slots)
		allocs[name] = testing.AllocsPerRun(200, func() {
			if i == len(warm.slots) {
				warm.renew()
				i = 0
			}
			if err := warm.guard.ServeHTTP(rec, warm.slots[i].request, okHandler); err != nil || rec.Code != http.StatusOK {
				t.Fatalf("%s: %d %v", name, rec.Code, err)
			}
			i++
		})
		if got := allocs[name]; name != "claims" && got > maxWarmAllocs {
			t.Errorf("%s: the guard allocates %v times on a warm request, more than %d", name, got, maxWarmAllocs)
		}
	}
	if more := allocs["claims"] - allocs["session"]; more > maxClaimAllocs {
		t.Errorf("claims, an expression and an assertion allocate %v times more, rather than %d", more, maxClaimAllocs)
	}
}

// batch has a guard answer the requests, or the first n of them, and returns how long
// that took for each.
func (w *warm) batch(b *testing.B, n int) time.Duration {
	b.Helper()
	rec := httptest.NewRecorder()
	w.renew()
	slots := w.slots[:min(len(w.slots), n)]
	start := time.Now()
	for i := range slots {
		if err := w.guard.ServeHTTP(rec, slots[i].request, okHandler); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(start)
	if rec.Code != http.StatusOK {
		b.Fatal(rec.Code)
	}
	return took / time.Duration(len(slots))
}

// report reports the mean, the median and the fastest twentieth of batches. The latter
// two stay the same where other processes take turns.
func report(b *testing.B, batches []time.Duration) {
	b.Helper()
	var sum time.Duration
	for _, took := range batches {
		sum += took
	}
	slices.Sort(batches)
	b.ReportMetric(float64(sum)/float64(len(batches)), "ns/op")
	b.ReportMetric(float64(batches[len(batches)/2]), "median-ns/op")
	b.ReportMetric(float64(batches[len(batches)/20]), "p5-ns/op")
}

// BenchmarkGuard_Warm measures the guard's own work: ns/op leaves out what the
// benchmark itself does to have the requests anew.
func BenchmarkGuard_Warm(b *testing.B) {
	for name, warm := range warmGuards(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			batches := make([]time.Duration, 0, b.N/len(warm.slots)+1)
			for done := 0; done < b.N; done += len(warm.slots) {
				batches = append(batches, warm.batch(b, b.N-done))
			}
			report(b, batches)
		})
	}
}

// BenchmarkGuard_ClaimsAdd measures what three claims in rules and headers, an assertion
// and an expression add to a session's request, in turns with one that has none of them.
func BenchmarkGuard_ClaimsAdd(b *testing.B) {
	guards := warmGuards(b)
	b.ResetTimer()
	var without, with []time.Duration
	for left := b.N; left > 0; left -= len(warm{}.slots) {
		without = append(without, guards["session"].batch(b, left))
		with = append(with, guards["claims"].batch(b, left))
	}
	slices.Sort(without)
	slices.Sort(with)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(with[len(with)/2]-without[len(without)/2]), "added-median-ns")
	b.ReportMetric(float64(with[len(with)/20]-without[len(without)/20]), "added-p5-ns")
}
