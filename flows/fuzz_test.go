package flows

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func FuzzParseProof(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Im9jdCIsImsiOiJBQUFBIn19.e30.AAAA")
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUiLCJqd2siOnt9fQ.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, jkt, err := accesstoken.ParseProof(raw); err == nil && len(jkt) != 43 {
			t.Errorf("%q passes with thumbprint %q", raw, jkt)
		}
	})
}

func FuzzSameTarget(f *testing.F) {
	f.Add("https://a.test/x?y#z", "https://a.test/x")
	f.Fuzz(func(t *testing.T, htu, uri string) {
		if !accesstoken.SameTarget(htu, uri) {
			return
		}
		a, _ := url.Parse(htu)
		b, _ := url.Parse(uri)
		if a == nil || b == nil || web.HostName(web.CanonicalHost(strings.ToLower(a.Scheme), a.Host)) != web.HostName(web.CanonicalHost(b.Scheme, b.Host)) {
			t.Errorf("%q passes for %q", htu, uri)
		}
	})
}

func FuzzSafeReturnTo(f *testing.F) {
	for _, s := range []string{"/", "//evil.test", "/\\evil.test", "/.//evil.test", "/%2f%2fevil.test", "/a?b=//c#d", "/.gatehouse/logout"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://app.test/x")
	f.Fuzz(func(t *testing.T, s string) {
		safe := web.SafeReturnTo(s)
		to, err := base.Parse(safe)
		if err != nil || to.Host != "app.test" || to.Scheme != "https" || to.User != nil {
			t.Errorf("%q leads to %v", s, to)
		}
		path, _, _ := strings.Cut(safe, "?")
		if strings.HasPrefix(safe, "//") || strings.Contains(path, "\\") || strings.ContainsAny(safe, "\r\n\t") || len(safe) > web.MaxReturnTo {
			t.Errorf("%q became %q", s, safe)
		}
	})
}

func FuzzStripCookies(f *testing.F) {
	f.Add("a=1; gatehouse=x; b=2")
	f.Add("__Host-gatehouse=x;;=;gatehouse-try-1=y")
	f.Fuzz(func(t *testing.T, line string) {
		h := http.Header{"Cookie": {line}}
		web.StripCookies(h)
		r := &http.Request{Header: h}
		for _, c := range r.Cookies() {
			if web.Ours(c.Name) {
				t.Errorf("%q leaves %q", line, c.Name)
			}
		}
		if web.EachCookie(h, web.SiteCookie, func(string) bool { return true }) || web.EachCookie(h, web.HostPrefix+web.SiteCookie, func(string) bool { return true }) {
			t.Errorf("%q leaves a session in %q", line, h["Cookie"])
		}
		before := (&http.Request{Header: http.Header{"Cookie": {line}}}).Cookies()
		kept := 0
		for _, c := range before {
			if !web.Ours(c.Name) {
				kept++
			}
		}
		if got := len(r.Cookies()); got != kept {
			t.Errorf("%q: %d of the app's cookies became %d", line, kept, got)
		}
	})
}

func FuzzAuthorizeQuery(f *testing.F) {
	f.Add("client_id=x&request_uri=urn:ietf:params:oauth:request_uri:x")
	f.Add("client_id=one.test&redirect_uri=http://one.test/.gatehouse/callback")
	g := fuzzGateway(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "http://portal.test/authorize", nil)
		w := httptest.NewRecorder()
		g.ServePortal(w, &web.Request{Request: r, URI: "/authorize?" + query, Scheme: "http", Host: "portal.test", ClientIP: "192.0.2.1"})
		if w.Code >= 500 {
			t.Errorf("%q answers %d", query, w.Code)
		}
		if to := w.Header().Get("Location"); to != "" && !strings.HasPrefix(to, "http://one.test/.gatehouse/callback") && !strings.HasPrefix(to, "https://web.test/cb?") {
			t.Errorf("%q leads to %q", query, to)
		}
	})
}

func FuzzTokenForm(f *testing.F) {
	f.Add("grant_type=authorization_code&code=AAAA&client_id=native", "")
	f.Add("grant_type=refresh_token&refresh_token=gtr_AAAA&client_id=native", "Basic YTpi")
	f.Add("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=A&client_id=cli", "")
	g := fuzzGateway(f)
	f.Fuzz(func(t *testing.T, form, authorization string) {
		for _, endpoint := range []string{"/token", "/par", "/revoke", "/introspect", "/device_authorization"} {
			r := httptest.NewRequest(http.MethodPost, "http://portal.test"+endpoint, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if authorization != "" {
				r.Header["Authorization"] = []string{authorization}
			}
			w := httptest.NewRecorder()
			g.ServePortal(w, &web.Request{Request: r, URI: endpoint, Scheme: "http", Host: "portal.test", ClientIP: "192.0.2.1"})
			if w.Code >= 500 || w.Code == 200 && endpoint == "/token" {
				t.Errorf("%s with %q answers %d %s", endpoint, form, w.Code, w.Body)
			}
		}
	})
}

// FuzzParseClaims: what is not understood demands nothing, and what is demanded can be
// passed on to a provider as it is.
func FuzzParseClaims(f *testing.F) {
	for _, s := range []string{"", "{}", "[]", `{"id_token":{"acr":{"essential":true,"values":["gold","b"]},"sub":{"value":"x"}}}`, `{"id_token":null}`, "\xff", "{"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		var a authRequest
		if fault := parseClaims(url.Values{"claims": {claims}}, &a); fault != nil && fault.page {
			t.Errorf("%q is answered by a page", claims)
		}
		if a.ACREssential && a.ACRValues == "" || len(a.ACRValues) > maxHint || len(a.Hint) > maxHint || strings.ContainsAny(a.ACRValues, "\r\n") {
			t.Errorf("%q demands %t %q of %q", claims, a.ACREssential, a.ACRValues, a.Hint)
		}
	})
}
