package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestCheckPageOrigin(t *testing.T) {
	for _, origin := range []string{"https://ui.example.com", "http://localhost:5173", "https://[::1]:8443", "https://xn--bcher-kva.example"} {
		if err := CheckPageOrigin(origin); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for origin, want := range map[string]string{
		"null": "sandboxed", "NULL": "sandboxed", "*": "exact", "https://*.example.com": "exact", "": "not an origin",
		"ui.example.com": "not an origin", "//ui.example.com": "not an origin", "ftp://ui.example.com": "not an origin", "https://": "not an origin",
		"https://ui.example.com/": "write https://ui.example.com", "https://ui.example.com/app": "write https://ui.example.com",
		"https://UI.example.com": "write https://ui.example.com", "https://ui.example.com:443": "write https://ui.example.com",
		"https://a@ui.example.com": "write https://ui.example.com", "https://ui.example.com?x": "write https://ui.example.com",
		"https://b\u00fccher.example": "ASCII", "HTTPS://ui.example.com": "write https://ui.example.com",
	} {
		if err := CheckPageOrigin(origin); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", origin, err, want)
		}
	}
}

// What is taken is an origin and nothing more, to everybody who reads it.
func FuzzCheckPageOrigin(f *testing.F) {
	for _, seed := range []string{"https://ui.example.com", "http://[::1]:80", "https://a@b", "https://a\\b", "null", "https://a:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		if CheckPageOrigin(origin) != nil {
			return
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme+"://"+u.Host != origin || strings.ContainsAny(origin, "*@\\?# ") || strings.ToLower(origin) != origin {
			t.Errorf("%q is taken for an origin", origin)
		}
	})
}

func TestAnswerPageMayCall_ReadsItFirst(t *testing.T) {
	for name, c := range map[string]struct {
		method, headers string
		want            int
	}{
		"plain":          {"DELETE", "authorization, x-request-id", http.StatusNoContent},
		"none":           {"PUT", "", http.StatusNoContent},
		"a line of more": {"PUT", "x-a, b c", http.StatusBadRequest},
		"no method":      {"A B", "", http.StatusBadRequest},
		"a long list":    {"PUT", strings.Repeat("a,", 5000) + "a", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodOptions, "https://api.example.com/", nil)
			r.Header.Set("Access-Control-Request-Method", c.method)
			r.Header.Set("Access-Control-Request-Headers", c.headers)
			rec := httptest.NewRecorder()
			AnswerPageMayCall(rec, r)
			if h := rec.Header(); rec.Code != c.want || c.want == http.StatusNoContent && (h.Get("Access-Control-Allow-Headers") != c.headers || h.Get("Access-Control-Allow-Methods") != c.method) {
				t.Errorf("%d %v", rec.Code, h)
			}
		})
	}
}
