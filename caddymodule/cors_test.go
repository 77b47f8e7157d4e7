package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const corsSites = "http://api.example.com {\n\tgatehouse /v1/* {\n\t\tcors https://ui.example.com https://b.example.com\n\t}\n\tgatehouse /private/*\n" +
	"\t@write method DELETE\n\tgatehouse @write {\n\t\tcors https://ui.example.com\n\t}\n" +
	"\theader Access-Control-Allow-Origin *\n\trespond upstream\n}"

func pagePreflight(url, origin, method string) *http.Request {
	req := httptest.NewRequest(http.MethodOptions, url, nil)
	req.RequestURI = req.URL.RequestURI()
	req.Header.Set("Origin", origin)
	req.Header.Set("Access-Control-Request-Method", method)
	req.Header.Set("Access-Control-Request-Headers", "authorization,x-trace")
	return req
}

// The guard answers before anybody could sign in: a preflight has no credentials.
func TestCORS_AnswersPreflights(t *testing.T) {
	r := serve(t, aliceLocal, corsSites)
	for name, c := range map[string]struct {
		req  *http.Request
		want int
	}{
		"of an allowed page":            {pagePreflight("http://api.example.com/v1/x", "https://ui.example.com", "PUT"), http.StatusNoContent},
		"of another page":               {pagePreflight("http://api.example.com/v1/x", "https://evil.example", "PUT"), http.StatusForbidden},
		"of a suffix of an allowed one": {pagePreflight("http://api.example.com/v1/x", "https://ui.example.com.evil.example", "PUT"), http.StatusForbidden},
		"of another scheme":             {pagePreflight("http://api.example.com/v1/x", "http://ui.example.com", "PUT"), http.StatusForbidden},
		"of a sandboxed frame":          {pagePreflight("http://api.example.com/v1/x", "null", "PUT"), http.StatusForbidden},
		"at a guard for one method":     {pagePreflight("http://api.example.com/open", "https://ui.example.com", "DELETE"), http.StatusNoContent},
		"whose page another guard has":  {pagePreflight("http://api.example.com/open", "https://b.example.com", "DELETE"), http.StatusForbidden},
		"for what is open":              {pagePreflight("http://api.example.com/open", "https://ui.example.com", "GET"), http.StatusOK},
		"at a guard without cors":       {pagePreflight("http://api.example.com/private/x", "https://ui.example.com", "GET"), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			rec := r.do(c.req)
			wantStatus(t, rec, c.want)
			h := rec.Header()
			switch c.want {
			case http.StatusNoContent:
				if h.Get("Access-Control-Allow-Origin") != c.req.Header.Get("Origin") || h.Get("Access-Control-Allow-Credentials") != "true" ||
					h.Get("Access-Control-Allow-Methods") != c.req.Header.Get("Access-Control-Request-Method") || h.Get("Access-Control-Allow-Headers") != "authorization,x-trace" {
					t.Errorf("%v", h)
				}
			case http.StatusForbidden:
				if h["Access-Control-Allow-Origin"] != nil || h["Access-Control-Allow-Credentials"] != nil {
					t.Errorf("%v", h)
				}
			}
			if c.want != http.StatusOK && strings.Contains(rec.Body.String(), "upstream") {
				t.Error("a preflight reached the application")
			}
		})
	}
}

// Without the headers a page could not read why it was refused.
func TestCORS_TellsOnAnswers(t *testing.T) {
	r := serve(t, strings.Replace(aliceLocal, "}\n}\n", "}\n}\npolicy nobody {\n\tallow user root\n}\n", 1),
		strings.Replace(corsSites, "\trespond", "\tgatehouse /v1/root nobody\n\trespond", 1))
	alice := r.signIn("api.example.com", nil)
	two := get("http://api.example.com/v1/x", alice)
	two.Header["Origin"] = []string{"https://ui.example.com", "https://evil.example"}
	for name, c := range map[string]struct {
		req    *http.Request
		origin string
		status int
		want   string
	}{
		"signed out":              {get("http://api.example.com/v1/x"), "https://ui.example.com", http.StatusUnauthorized, "https://ui.example.com"},
		"signed in":               {get("http://api.example.com/v1/x", alice), "https://ui.example.com", http.StatusOK, "https://ui.example.com"},
		"not allowed":             {get("http://api.example.com/v1/root", alice), "https://ui.example.com", http.StatusForbidden, "https://ui.example.com"},
		"another guard's, maybe":  {get("http://api.example.com/v1/..%2fprivate/x", alice), "https://ui.example.com", http.StatusOK, ""},
		"maybe this one's":        {get("http://api.example.com/private/..%2fv1/x", alice), "https://ui.example.com", http.StatusOK, ""},
		"of another page":         {get("http://api.example.com/v1/x", alice), "https://evil.example", http.StatusOK, ""},
		"of two pages":            {two, "", http.StatusOK, ""},
		"of another page, out":    {get("http://api.example.com/v1/x"), "https://evil.example", http.StatusUnauthorized, ""},
		"where the app says it":   {get("http://api.example.com/open"), "https://evil.example", http.StatusOK, "*"},
		"at a guard without cors": {get("http://api.example.com/private/x"), "https://ui.example.com", http.StatusUnauthorized, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.origin != "" {
				c.req.Header.Set("Origin", c.origin)
			}
			rec := r.do(c.req)
			wantStatus(t, rec, c.status)
			h := rec.Header()
			if got := strings.Join(h["Access-Control-Allow-Origin"], " "); got != c.want {
				t.Errorf("may be read by %q, want %q", got, c.want)
			}
			if (h.Get("Access-Control-Allow-Credentials") == "true") != strings.HasPrefix(c.want, "https:") {
				t.Errorf("%v", h)
			}
			if c.want != "*" && !strings.Contains(strings.Join(h["Vary"], ","), "Origin") {
				t.Errorf("a cache would give it to other pages: %v", h)
			}
			if c.status == http.StatusUnauthorized && c.want == c.origin && !strings.Contains(h.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
				t.Errorf("the page cannot read the challenge: %v", h)
			}
		})
	}
}

// What no page asks for may be kept by a cache, which would give it to a page without the
// headers that let the page read it, or with the application's own.
func TestCORS_VariesWithoutOrigin(t *testing.T) {
	r := serve(t, aliceLocal, corsSites)
	alice := r.signIn("api.example.com", nil)
	for name, tt := range map[string]struct {
		req  *http.Request
		want int
		cors bool
	}{
		"signed in":               {get("http://api.example.com/v1/x", alice), http.StatusOK, true},
		"signed out":              {get("http://api.example.com/v1/x"), http.StatusUnauthorized, true},
		"at a guard without cors": {get("http://api.example.com/private/x", alice), http.StatusOK, false},
		"what is open":            {get("http://api.example.com/open"), http.StatusOK, false},
	} {
		got := r.do(tt.req)
		wantStatus(t, got, tt.want)
		varies := strings.Contains(strings.Join(got.Header()["Vary"], ","), "Origin")
		if allowed := got.Header()["Access-Control-Allow-Origin"] != nil; varies != tt.cors || allowed == tt.cors {
			t.Errorf("%s: %v", name, got.Header())
		}
	}
}

// A proxy that asks reads of a 204 that the request may pass: what a guard of the same name
// says of pages of other origins has no effect there.
func TestCORS_IsNoYesForAProxy(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name)+"http://app.corp.test:8080 {\n\tgatehouse {\n\t\tcors https://ui.example.com\n\t}\n\trespond here\n}\n")
		req := asks(name, http.MethodOptions, "/private/x")
		req.Header.Set("Origin", "https://ui.example.com")
		req.Header.Set("Access-Control-Request-Method", "DELETE")
		if got := r.do(req); got.Code < 300 || got.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", name, got.Code, got.Header())
		}
	}
}

// A page that may call may open a WebSocket, too.
func TestCORS_AllowsWebSockets(t *testing.T) {
	r := serve(t, aliceLocal, corsSites)
	alice := r.signIn("api.example.com", nil)
	for origin, want := range map[string]int{"https://ui.example.com": http.StatusOK, "https://evil.example": http.StatusForbidden} {
		req := get("http://api.example.com/v1/socket", alice)
		for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Origin": origin, "Sec-Websocket-Key": "x", "Sec-Websocket-Version": "13"} {
			req.Header.Set(name, value)
		}
		wantStatus(t, r.do(req), want)
	}
}

func TestServeStale_IsNoLongerThanTheApps(t *testing.T) {
	for lines, want := range map[string]string{"": "10m0s", "serve_stale off\n": "0s"} {
		_, err := start(t, config(t, t.TempDir(), aliceLocal+lines, "http://app.example.com {\n\tgatehouse {\n\t\tserve_stale 11m\n\t}\n}"))
		if err == nil || !strings.Contains(err.Error(), "serve_stale 11m0s is longer than that of the gatehouse block ("+want+")") {
			t.Errorf("%v", err)
		}
	}
}
