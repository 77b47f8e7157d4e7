package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestCheckLogoutRedirect(t *testing.T) {
	for _, to := range []string{"https://www.example.com/bye", "http://localhost:3000", "/bye", "/bye?from=app", "/"} {
		if err := CheckLogoutRedirect(to); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	for _, to := range []string{
		"", "bye", "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example",
		"https://app.example.com@evil.example", "https://app.example.com\\@evil.example", "javascript:alert(1)", "HTTPS://www.example.com",
		"https://www.example.com/#x", "https://www.example.com/ x", "https://b\u00fccher.example", "/.gatehouse/login", "/\t/evil.example", "https://",
	} {
		if CheckLogoutRedirect(to) == nil {
			t.Errorf("%q is taken", to)
		}
	}
}

// Whoever asks for an address that is not listed goes to the first.
func TestRequest_LogoutRedirect(t *testing.T) {
	r := &Request{Request: httptest.NewRequest(http.MethodGet, "/", nil), Scheme: "https", Host: "app.example.com"}
	if got := r.LogoutRedirect("https://evil.example"); got != "" {
		t.Errorf("a site without addresses leads to %q", got)
	}
	r.Site = &Site{LogoutRedirects: []string{"/bye", "https://www.example.com/bye"}}
	for asked, want := range map[string]string{
		"": "https://app.example.com/bye", "/bye": "https://app.example.com/bye", "https://www.example.com/bye": "https://www.example.com/bye",
		"https://www.example.com/bye?x": "https://app.example.com/bye", "https://www.example.com/bye/../x": "https://app.example.com/bye",
		"HTTPS://www.example.com/bye": "https://app.example.com/bye", "//evil.example": "https://app.example.com/bye", "https://evil.example": "https://app.example.com/bye",
	} {
		if got := r.LogoutRedirect(asked); got != want {
			t.Errorf("%q leads to %q, want %q", asked, got, want)
		}
	}
}

// A browser at https://app.example.com goes where a URL library says that it does.
func FuzzCheckLogoutRedirect(f *testing.F) {
	for _, seed := range []string{"https://www.example.com/bye", "/bye", "//x", "/\\x", "https://a@b", "https://a\\@b", "https:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, to string) {
		if CheckLogoutRedirect(to) != nil {
			return
		}
		u, err := url.Parse(to)
		if err != nil || u.User != nil || strings.ContainsAny(to, "\t\r\n #") || strings.HasPrefix(to, "//") {
			t.Fatalf("%q is taken", to)
		}
		if !strings.HasPrefix(to, "/") && (u.Host == "" || strings.ContainsAny(u.Host, "\\@")) {
			t.Fatalf("%q is taken", to)
		}
	})
}

func TestRequest_IsForgeable(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		want         bool
	}{
		"a form of another site":            {"POST", "/x", http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
		"of this site":                      {"POST", "/x", http.Header{"Sec-Fetch-Site": {"same-origin"}}, false},
		"of a sub-domain, as with lax":      {"POST", "/x", http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
		"said twice":                        {"POST", "/x", http.Header{"Sec-Fetch-Site": {"same-origin", "cross-site"}}, true},
		"a word of tomorrow":                {"POST", "/x", http.Header{"Sec-Fetch-Site": {"near-site"}}, true},
		"a link":                            {"GET", "/x", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		"another spelling of a safe method": {"get", "/x", http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
		"an old browser":                    {"POST", "/x", http.Header{"Origin": {"https://evil.example"}}, true},
		"an old browser here":               {"POST", "/x", http.Header{"Origin": {"https://APP.example.com:8443"}}, false},
		"a sandboxed frame":                 {"POST", "/x", http.Header{"Origin": {"null"}}, true},
		"a program":                         {"POST", "/x", http.Header{}, false},
		"to a listed path":                  {"POST", "/saml/acs", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		"to a listed path with a query":     {"POST", "/saml/acs?x=/admin", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		"to one that is read as another":    {"POST", "/saml/acs/../../admin", http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
		"to one in another spelling":        {"POST", "/saml/%61cs", http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			plain := httptest.NewRequest(http.MethodGet, "/", nil)
			plain.Method, plain.Header = c.method, c.header
			r := &Request{Request: plain, URI: c.path, Host: "app.example.com", Site: &Site{CrossSiteCookie: true, CrossSite: []string{"/saml/acs"}}}
			if got := r.IsForgeable(); got != c.want {
				t.Errorf("IsForgeable() = %v, want %v", got, c.want)
			}
			r.Site = new(Site)
			if r.IsForgeable() {
				t.Error("browsers keep the cookie back otherwise")
			}
		})
	}
}
