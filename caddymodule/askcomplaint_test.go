package caddymodule

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// lines collects what an app logs from now on.
func (r *running) lines() func() string {
	var mu sync.Mutex
	var log bytes.Buffer
	r.app.logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

// forgetComplaints has the next of each kind be logged.
func (r *running) forgetComplaints() {
	r.t.Helper()
	w := routeWalk{server: r.srv[":80"]}
	if err := w.routes(w.server.Routes, nil); err != nil || len(w.asked) != 1 {
		r.t.Fatalf("%d directives of forward auth: %v", len(w.asked), err)
	}
	for i := range w.asked[0].complained {
		w.asked[0].complained[i].Store(0)
	}
}

// badInput is what a proxy, or a client through it, must not send: the status that a
// proxy gets which passes answers on, and what the log names.
var badInput = map[string]struct {
	change func(*http.Request)
	status int
	log    []string
}{
	"an untrusted peer": {
		func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1234" }, http.StatusForbidden,
		[]string{"not a trusted proxy", "trusted_proxies", "203.0.113.9"},
	},
	"nothing said": {
		func(r *http.Request) { r.Header = http.Header{} }, http.StatusBadRequest,
		[]string{"X-Forwarded-Method is missing or empty, expected"},
	},
	"the host twice": {
		func(r *http.Request) { r.Header.Add("X-Forwarded-Host", "app.corp.test") }, http.StatusBadRequest,
		[]string{"X-Forwarded-Host occurs 2 times, expected once"},
	},
	"the scheme twice": {
		func(r *http.Request) { r.Header.Add("X-Forwarded-Proto", "https") }, http.StatusBadRequest,
		[]string{"X-Forwarded-Proto occurs 2 times, expected once"},
	},
	"the method twice": {
		func(r *http.Request) { r.Header.Add("X-Forwarded-Method", "GET") }, http.StatusBadRequest,
		[]string{"X-Forwarded-Method occurs 2 times, expected once"},
	},
	"the URI twice": {
		func(r *http.Request) { r.Header.Add("X-Forwarded-Uri", "/private/x") }, http.StatusBadRequest,
		[]string{"X-Forwarded-Uri occurs 2 times, expected once"},
	},
	"a list of schemes": {
		func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https, http") }, http.StatusBadRequest,
		[]string{"expected https or http"},
	},
	"an absolute URI": {
		func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "https://app.corp.test/open?code=sesame") }, http.StatusBadRequest,
		[]string{"the URI is", "https://app.corp.test/open?…", "expected a path that begins with a slash"},
	},
	"an empty URI": {
		func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "") }, http.StatusBadRequest,
		[]string{"X-Forwarded-Uri is missing or empty, expected"},
	},
	"a fragment": {
		func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "/open#/private/x") }, http.StatusBadRequest,
		[]string{"expected a path and a query", "without a fragment"},
	},
	"a host that is not configured": {
		func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.test") }, http.StatusMisdirectedRequest,
		[]string{"hosts does not list", "evil.test", "app.corp.test"},
	},
	"an address for a host": {
		func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "[2001:db8::1]:8443") }, http.StatusMisdirectedRequest,
		[]string{"hosts does not list", "[2001:db8::1]:8443"},
	},
	"another method": {
		func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "DELETE") }, http.StatusBadRequest,
		[]string{"X-Http-Method-Override", "DELETE", "expected none but GET"},
	},
	"another method, second": {
		func(r *http.Request) { r.Header["X-Method-Override"] = []string{"GET", "PUT"} }, http.StatusBadRequest,
		[]string{"X-Method-Override", "PUT"},
	},
	"a cookie of 32 KiB": {
		func(r *http.Request) { r.Header.Set("Cookie", "theirs="+strings.Repeat("x", 32<<10)) }, http.StatusRequestHeaderFieldsTooLarge,
		[]string{"32775 bytes, expected 16384 at most"},
	},
	"cookies of 32 KiB": {func(r *http.Request) {
		for range 8 {
			r.Header.Add("Cookie", "theirs="+strings.Repeat("x", 4<<10))
		}
	}, http.StatusRequestHeaderFieldsTooLarge, []string{"expected 16384 at most"}},
	"an Authorization of 32 KiB": {
		func(r *http.Request) { r.Header.Set("Authorization", "Negotiate "+strings.Repeat("x", 32<<10)) }, http.StatusRequestHeaderFieldsTooLarge,
		[]string{"expected 16384 at most"},
	},
	"Remote~User": {
		func(r *http.Request) { r.Header["Remote~User"] = []string{"mallory"} }, http.StatusBadRequest,
		[]string{"Remote~User", "expected letters, digits and dashes only"},
	},
	"REMOTE!Groups": {
		func(r *http.Request) { r.Header["REMOTE!Groups"] = []string{"mallory"} }, http.StatusBadRequest,
		[]string{"REMOTE!Groups", "expected letters, digits and dashes only"},
	},
	"h2c": {func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, http.StatusBadRequest, []string{"h2c", "expected websocket"}},
	"settings of h2c": {
		func(r *http.Request) { r.Header.Set("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA") }, http.StatusBadRequest,
		[]string{"HTTP2-Settings", "expected websocket"},
	},
	"one of our own addresses": {
		func(r *http.Request) {
			r.Header.Set("X-Forwarded-Uri", "/.gatehouse/callback?code=sesame&state=sesame")
		}, http.StatusForbidden,
		[]string{"Gatehouse's own addresses", "pass /.gatehouse/* on"},
	},
}

func TestForwardAuth_RefusesBadInputAndNamesWhatWasExpected(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "traefik"))
	for name, test := range badInput {
		log := r.lines()
		r.forgetComplaints()
		req := asks("traefik", "GET", "/open")
		test.change(req)
		if got := r.do(req); got.Code != test.status || got.Header().Get("Remote-User") != "" {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		for _, want := range append(test.log, "level=WARN", "proxy=traefik") {
			if !strings.Contains(strings.ReplaceAll(log(), `\"`, `"`), want) {
				t.Errorf("%s: the log does not say %q:\n%s", name, want, log())
			}
		}
		if strings.Contains(log(), "sesame") {
			t.Errorf("%s: the log holds a secret:\n%s", name, log())
		}
	}
}

// The same log line once a minute; another one at once.
func TestForwardAuth_OneComplaintDoesNotSilenceAnother(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "traefik"))
	log := r.lines()
	for range 2 {
		for _, name := range []string{"an untrusted peer", "the URI twice", "a host that is not configured", "one of our own addresses"} {
			req := asks("traefik", "GET", "/open")
			badInput[name].change(req)
			r.do(req)
		}
	}
	for _, want := range []string{"not a trusted proxy", "2 times", "hosts does not list", "own addresses"} {
		if got := strings.Count(log(), want); got != 1 {
			t.Errorf("%q is logged %d times:\n%s", want, got, log())
		}
	}
}

// Some proxies pass Proxy-Authorization on, which the answer does not replace.
func TestForwardAuth_RefusesATokenOfOursThatItCannotTakeAway(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	r := trusting(t, aliceLocal+strings.ReplaceAll(apiClient, "http://api.example.com", "https://app.corp.test"),
		"http://auth.example.com {\n\tgatehouse_portal\n}\n"+strings.ReplaceAll(gate, "PROXY", "traefik"))
	for value, want := range map[string]int{"Bearer " + r.token("https://app.corp.test"): http.StatusBadRequest, "Basic YTpi": http.StatusOK} {
		req := asks("traefik", "GET", "/open")
		req.Header.Set("Proxy-Authorization", value)
		if got := r.do(req); got.Code != want {
			t.Errorf("%.10s: %d %s", value, got.Code, got.Body)
		}
	}
}
