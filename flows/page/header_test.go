package page

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeaders(t *testing.T) {
	r := renderer(t, Options{CSS: ":root { --accent: #006600 }\r\n.card { border-width: 2px }\r\n"})
	every(t, r, http.MethodGet, "alice", func(page string, rec *httptest.ResponseRecorder) {
		referrer := "same-origin"
		if page == "fault" {
			referrer = "no-referrer"
		}
		for key, want := range map[string]string{
			"Content-Type":           "text/html; charset=utf-8",
			"Cache-Control":          "no-store",
			"Referrer-Policy":        referrer,
			"X-Content-Type-Options": "nosniff",
			"Content-Length":         strconv.Itoa(rec.Body.Len()),
		} {
			if got := rec.Header().Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", page, key, got, want)
			}
		}
		csp := rec.Header().Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: loose policy %s", page, csp)
		}
		// The browser hashes what the parser makes of the style element.
		for _, n := range elements(t, rec.Body.String()) {
			if n.Data == "style" && !strings.Contains(csp, hashSource(n.FirstChild.Data)) {
				t.Errorf("%s: the policy %s blocks its style", page, csp)
			}
		}
		for _, d := range []string{"default-src 'none'", "img-src data:", "frame-ancestors 'none'", "base-uri 'none'"} {
			if (page == "formpost" || page == "framed") && strings.HasPrefix(d, "frame-ancestors") {
				continue // see formPostPolicy
			}
			if !strings.Contains(csp, d) {
				t.Errorf("%s: policy lacks %s: %s", page, d, csp)
			}
		}
	})
}

func TestHeadHasNoBody(t *testing.T) {
	every(t, renderer(t, Options{}), http.MethodHead, "alice", func(page string, rec *httptest.ResponseRecorder) {
		if rec.Body.Len() != 0 {
			t.Errorf("%s: %d bytes", page, rec.Body.Len())
		}
		if rec.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: no policy", page)
		}
	})
}

func TestFormTargets(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"url", "https://App.example.com/cb?a=b", "https://app.example.com"},
		{"port", "http://127.0.0.1:8080/cb", "http://127.0.0.1:8080"},
		{"ipv6", "http://[::1]:8080/", "http://[::1]:8080"},
		{"user name", "https://app.example.com@evil.example/", "https://evil.example"},
		{"wildcard", "https://*.example.com/", ""},
		{"directive", "https://a;script-src *", ""},
		{"list", "https://a https://b", ""},
		{"scheme", "javascript:alert(1)", ""},
		{"no host", "https:", ""},
		{"path", "/cb", ""},
		{"empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, formTarget(tc.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Who posts a form of ours goes on to wherever the application leads, through any number
// of redirects (PrefectHQ/fastmcp#3369: https, then an app's scheme). Pages without a form
// allow none.
func TestPolicy_FormsLeadOn(t *testing.T) {
	r := renderer(t, Options{})
	every(t, r, http.MethodGet, "x", func(page string, rec *httptest.ResponseRecorder) {
		if page == "formpost" {
			return // see TestFormPost
		}
		csp, form := rec.Header().Get("Content-Security-Policy"), strings.Contains(rec.Body.String(), "<form")
		if strings.Contains(csp, "form-action 'none'") == form || strings.Count(csp, "form-action") > 1 || form && strings.Contains(csp, "form-action") {
			t.Errorf("%s: a form: %v, %s", page, form, csp)
		}
	})
}

func TestOpens(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://app.example.com/cb?code=a%2Bb&state=c": true, "com.example.app:/cb?code=x": true, "cursor://a/cb": true,
		"com.example.app:a \"b\"<é>'c'": true, "http://127.0.0.1:5555/cb": true,
		"JavaScript:alert(1)": false, "data:text/html,x": false, "/x": false, "https://": false,
		"https://app.example.com/\r\nSet-Cookie: a=b":      false,
		"https://a.example/" + strings.Repeat("x", MaxURL): false, "https://a.example/" + strings.Repeat("é", MaxURL/5): false,
	} {
		if got := Opens(raw); got != want {
			t.Errorf("%.60q: %v", raw, got)
		}
	}
}
