package caddymodule

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxWarmAllocs is the bar for the guard's own work on a warm request.
const maxWarmAllocs = 8

// warmGuard is a guard, and a request of somebody whom it knows, as Caddy hands
// it over. fresh makes the request as it was before the guard saw it.
func warmGuard(tb testing.TB) (g *Guard, fresh func() *http.Request) {
	tb.Helper()
	r := serve(tb, aliceLocal+"policy staff {\n\tallow group staff\n}\n", "http://app.example.com {\n\tgatehouse staff\n\trespond ok\n}")
	cookie := r.signIn("app.example.com", nil)
	base := get("http://app.example.com/reports?year=2026", cookie)
	base.Header.Set("Accept", "text/html,application/xhtml+xml")
	base.Header.Set("Accept-Encoding", "gzip")
	base.Header.Set("User-Agent", "Mozilla/5.0")
	template := base.Header.Clone()
	header := make(http.Header, 16)
	vars := make(map[string]any, 8)
	repl := caddy.NewEmptyReplacer()
	ctx := context.WithValue(base.Context(), caddy.ReplacerCtxKey, repl)
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, vars)
	ctx = context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, http.Request{RequestURI: base.RequestURI, URL: base.URL})
	req := base.WithContext(ctx)
	req.Header = header
	empty := *repl
	return r.app.guards[0], func() *http.Request {
		clear(header)
		maps.Copy(header, template)
		clear(vars)
		*repl = empty
		return req
	}
}

var okHandler = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

func TestGuard_WarmRequestAllocatesLittle(t *testing.T) {
	g, fresh := warmGuard(t)
	w := httptest.NewRecorder()
	measure := func(guarded bool) float64 {
		return testing.AllocsPerRun(200, func() {
			req := fresh()
			if guarded {
				if err := g.ServeHTTP(w, req, okHandler); err != nil || w.Code != http.StatusOK {
					t.Fatalf("%d %v", w.Code, err)
				}
			}
		})
	}
	if got := measure(true) - measure(false); got > maxWarmAllocs {
		t.Errorf("the guard allocates %v times on a warm request, more than %d", got, maxWarmAllocs)
	}
}

// BenchmarkGuard_Warm measures the guard's own work: "setup" is what the
// benchmark itself does for each request, to be subtracted.
func BenchmarkGuard_Warm(b *testing.B) {
	for name, guarded := range map[string]bool{"setup": false, "guard": true} {
		b.Run(name, func(b *testing.B) {
			g, fresh := warmGuard(b)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				req := fresh()
				if guarded {
					if err := g.ServeHTTP(w, req, okHandler); err != nil {
						b.Fatal(err)
					}
				}
			}
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		})
	}
}
