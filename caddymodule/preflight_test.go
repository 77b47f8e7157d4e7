package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// preflight is what a browser asks before a page of another origin may call: it
// never holds credentials.
func preflight(url string) *http.Request {
	r := get(url)
	r.Method = http.MethodOptions
	r.Header.Set("Origin", "https://page.example.net")
	r.Header.Set("Access-Control-Request-Method", http.MethodGet)
	r.Header.Set("Access-Control-Request-Headers", "authorization")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Remote-User", "mallory")
	return r
}

// Nobody is let in without having signed in unless the site says so, and a
// program is not redirected.
func TestPreflight_IsNoExceptionByDefault(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	rec := r.do(preflight("http://app.example.com/api"))
	wantStatus(t, rec, http.StatusUnauthorized)
	if rec.Header().Get("Location") != "" || len(rec.Result().Cookies()) > 0 || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("a preflight gets %v", rec.Header())
	}
}

// The guard's matcher lets preflights pass to an app that answers them, with what
// a client says about itself taken away, and nothing else. Caddy's own header
// directive makes the guard's refusals readable to the page.
func TestPreflight_PassesByTheGuardsMatcher(t *testing.T) {
	r := serve(t, aliceLocal, `http://app.example.com {
	@asks not {
		method OPTIONS
		header Origin *
		header Access-Control-Request-Method *
	}
	header Access-Control-Allow-Origin https://page.example.net
	gatehouse @asks
`+echo+"}")
	rec := r.do(preflight("http://app.example.com/api"))
	wantStatus(t, rec, http.StatusOK)
	if body := rec.Body.String(); strings.Contains(body, "mallory") || !strings.Contains(body, "Access-Control-Request-Method: GET") {
		t.Errorf("the upstream sees:\n%s", body)
	}
	bare := preflight("http://app.example.com/api")
	bare.Header.Del("Access-Control-Request-Method")
	lower := preflight("http://app.example.com/api")
	lower.Method = "options"
	actual := get("http://app.example.com/api")
	actual.Header.Set("Origin", "https://page.example.net")
	actual.Header.Set("Access-Control-Request-Method", http.MethodGet)
	for what, req := range map[string]*http.Request{"no preflight": bare, "another method": lower, "the call itself": actual} {
		rec := r.do(req)
		if rec.Code != http.StatusUnauthorized || rec.Header().Get("Access-Control-Allow-Origin") != "https://page.example.net" {
			t.Errorf("%s: %d %v", what, rec.Code, rec.Header())
		}
	}
}
