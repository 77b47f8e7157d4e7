package caddymodule

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const framedSite = "http://app.example.com {\n\tgatehouse {\n\t\tcookie {\n\t\t\tsame_site none\n\t\t\tcross_site /saml/acs\n\t\t}\n\t}\n" +
	"\tgatehouse /admin/*\n\t@known gatehouse group staff\n\theader @known X-Known yes\n" + echo + "}"

// secure is a request by https, by way of a trusted proxy.
func secure(req *http.Request) *http.Request {
	req.Header.Set("X-Forwarded-Proto", "https")
	return req
}

// pomerium PR 2203: the price of SameSite=None is paid here, not by the application.
func TestCookie_PagesOfOtherSitesChangeNothing(t *testing.T) {
	r := trusting(t, aliceLocal, framedSite)
	alice := r.secureSignIn("app.example.com")
	for name, c := range map[string]struct {
		method, path, site string
		want               int
	}{
		"a form of another site":      {"POST", "/x", "cross-site", http.StatusForbidden},
		"at a second guard":           {"POST", "/admin/x", "cross-site", http.StatusForbidden},
		"to a listed path":            {"POST", "/saml/acs", "cross-site", http.StatusOK},
		"to another by way of it":     {"POST", "/saml/acs/../../admin/x", "cross-site", http.StatusForbidden},
		"of this site":                {"POST", "/x", "same-origin", http.StatusOK},
		"a frame":                     {"GET", "/x", "cross-site", http.StatusOK},
		"another method of a program": {"PROPFIND", "/x", "cross-site", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			req := secure(get("http://app.example.com"+c.path, alice))
			req.Method = c.method
			req.Header.Set("Sec-Fetch-Site", c.site)
			rec := r.do(req)
			wantStatus(t, rec, c.want)
			if known := rec.Header().Get("X-Known") == "yes"; known != (c.want == http.StatusOK) {
				t.Errorf("a matcher before the guard knows them: %v", known)
			}
		})
	}
}

var sameSiteOf = regexp.MustCompile(`SameSite=(\w+)`)

// Only the site's own cookie is for other sites, and by https only.
func TestCookie_SameSite(t *testing.T) {
	r := trusting(t, aliceLocal, framedSite)
	for name, c := range map[string]struct {
		req    *http.Request
		cookie *http.Cookie
		want   string
	}{
		"https":      {secure(navigation("http://app.example.com/.gatehouse/logout")), &http.Cookie{Name: "__Host-gatehouse", Value: "x"}, "None"},
		"plain http": {navigation("http://app.example.com/.gatehouse/logout"), &http.Cookie{Name: "gatehouse", Value: "x"}, "Lax"},
	} {
		c.req.AddCookie(c.cookie)
		rec := r.do(c.req)
		for _, line := range rec.Header()["Set-Cookie"] {
			if strings.HasPrefix(line, c.cookie.Name+"=") && sameSiteOf.FindStringSubmatch(line)[1] != c.want {
				t.Errorf("%s: %s", name, line)
			}
		}
		if len(rec.Header()["Set-Cookie"]) == 0 {
			t.Errorf("%s: %d %v", name, rec.Code, rec.Header())
		}
	}
}

func TestSite_GuardsMustAgree(t *testing.T) {
	for option, second := range map[string]string{
		"cookie":          "cookie {\n\t\t\tsame_site lax\n\t\t}",
		"logout_redirect": "logout_redirect /other",
	} {
		_, err := start(t, config(t, t.TempDir(), aliceLocal, "http://app.example.com {\n\tgatehouse {\n\t\tcookie {\n\t\t\tsame_site none\n\t\t}\n\t\tlogout_redirect /bye\n\t}\n"+
			"\tgatehouse /x {\n\t\t"+second+"\n\t}\n}"))
		if want := "the guards of app.example.com differ in " + option; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", option, err)
		}
	}
}

// oauth2-proxy#3139: what a page asks for by itself keeps nobody signed in.
func TestIdleIgnore_CountsForAllGuardsOfTheSite(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\t@poll header X-Poll *\n\tgatehouse {\n\t\tidle_ignore /api/poll\n\t}\n\tgatehouse /x {\n\t\tidle_ignore @poll\n\t}\n\trespond ok\n}\n"+
		"http://other.example.com {\n\tgatehouse\n\trespond ok\n}")
	polls := get("http://app.example.com/y")
	polls.Header.Set("X-Poll", "1")
	for _, c := range []struct {
		req  *http.Request
		want bool
	}{{get("http://app.example.com/api/poll"), true}, {polls, true}, {get("http://app.example.com/api/save"), false}, {get("http://other.example.com/api/poll"), false}} {
		if got := r.app.guardAt(c.req.Host).site.isUncounted(probeOf(c.req)); got != c.want {
			t.Errorf("%s%s: isUncounted() = %v", c.req.Host, c.req.URL, got)
		}
		c.req.AddCookie(r.signIn(c.req.Host, nil))
		wantStatus(t, r.do(c.req), http.StatusOK)
	}
}

// probeOf is a request as matchers want it.
func probeOf(req *http.Request) *http.Request {
	probe := probeRequest(req.Method, req.URL.RequestURI(), req.Host)
	probe.Header = req.Header
	return probe
}

const byeSite = "http://app.example.com {\n\tgatehouse {\n\t\tlogout_redirect https://www.example.com/bye /bye\n\t\tclear_site_data\n\t}\n\trespond ok\n}"

// A link of the site's own pages signs out, one of another site asks first, and neither
// leads where the site has not said.
func TestLogoutRedirect(t *testing.T) {
	r := serve(t, aliceLocal, byeSite)
	link := func(query string, change func(http.Header)) *http.Request {
		req := navigation("http://app.example.com/.gatehouse/logout" + query)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Sec-Fetch-Dest", "document")
		if change != nil {
			change(req.Header)
		}
		return req
	}
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	listed := "?post_logout_redirect_uri=" + url.QueryEscape("/bye")
	head := link("", nil)
	head.Method = http.MethodHead
	for name, c := range map[string]struct {
		req  *http.Request
		want string // "" for a page
	}{
		"a link":                   {link("", nil), "https://www.example.com/bye"},
		"to a listed address":      {link(listed, nil), "http://app.example.com/bye"},
		"to another":               {link("?post_logout_redirect_uri=https://evil.example", nil), "https://www.example.com/bye"},
		"to another, cleverly":     {link("?post_logout_redirect_uri=https://www.example.com%5C@evil.example/bye", nil), "https://www.example.com/bye"},
		"to two":                   {link(listed+"&post_logout_redirect_uri=https://evil.example", nil), "https://www.example.com/bye"},
		"of another site":          {link(listed, set("Sec-Fetch-Site", "cross-site")), ""},
		"of a sub-domain":          {link(listed, set("Sec-Fetch-Site", "same-site")), ""},
		"typed in":                 {link(listed, set("Sec-Fetch-Site", "none")), ""},
		"of a browser that is old": {navigation("http://app.example.com/.gatehouse/logout"), ""},
		"an image":                 {link(listed, set("Sec-Fetch-Dest", "image")), ""},
		"a frame":                  {link(listed, set("Sec-Fetch-Dest", "iframe")), ""},
		"a script's":               {link(listed, set("Sec-Fetch-Mode", "cors")), ""},
		"fetched ahead":            {link(listed, set("Sec-Purpose", "prefetch;prerender")), ""},
		"a HEAD request":           {head, ""},
	} {
		t.Run(name, func(t *testing.T) {
			alice := r.signIn("app.example.com", nil)
			c.req.AddCookie(alice)
			rec := r.do(c.req)
			if got := rec.Header().Get("Location"); got != c.want {
				t.Errorf("%d leads to %q, want %q", rec.Code, got, c.want)
			}
			want, clears := http.StatusOK, ""
			if c.want != "" {
				want, clears = http.StatusUnauthorized, `"cache", "storage"`
			}
			if got := rec.Header().Get("Clear-Site-Data"); got != clears {
				t.Errorf("clears %q, want %q", got, clears)
			}
			wantStatus(t, r.do(get("http://app.example.com/", alice)), want)
		})
	}
}

var hiddenField = regexp.MustCompile(`name="(form|request)" value="([^"]+)"`)

// Whoever is asked first goes on to what the link asked for.
func TestLogoutRedirect_AfterThePage(t *testing.T) {
	r := serve(t, aliceLocal, byeSite)
	alice := r.signIn("app.example.com", nil)
	rec := r.do(navigation("http://app.example.com/.gatehouse/logout?post_logout_redirect_uri=/bye", alice))
	wantStatus(t, rec, http.StatusOK)
	form := make(url.Values)
	for _, field := range hiddenField.FindAllStringSubmatch(rec.Body.String(), -1) {
		form.Set(field[1], field[2])
	}
	req := navigation("http://app.example.com/.gatehouse/logout", alice)
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, req.URL.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	post.RequestURI, post.RemoteAddr, post.Host = req.RequestURI, req.RemoteAddr, req.Host
	post.Header = req.Header
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, line := range rec.Result().Cookies() {
		post.AddCookie(line)
	}
	rec = r.do(post)
	if got := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || got != "http://app.example.com/bye" {
		t.Errorf("%d %v\n%s", rec.Code, rec.Header(), rec.Body)
	}
}
