package caddymodule

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// proxied is a browser behind a proxy that ends TLS, and speaks plain http to
// the servers of a configuration.
type proxied struct {
	t       *testing.T
	to      map[string]http.Handler // by host
	proto   string                  // X-Forwarded-Proto; "" sends none
	cookies map[string]map[string]string
	at      *url.URL
	last    *httptest.ResponseRecorder
}

func newProxied(t *testing.T, r *running, proto string, listens map[string]string) *proxied {
	t.Helper()
	p := &proxied{t: t, to: map[string]http.Handler{}, proto: proto, cookies: map[string]map[string]string{}}
	for host, listen := range listens {
		if r.srv[listen] == nil {
			t.Fatalf("no server on %s among %v", listen, r.srv)
		}
		p.to[host] = r.srv[listen]
	}
	return p
}

// send follows redirects, as far as they lead to hosts that are known.
func (p *proxied) send(method, address string, form url.Values) *proxied {
	p.t.Helper()
	for range 12 {
		u, err := url.Parse(address)
		if err != nil {
			p.t.Fatal(err)
		}
		if p.at != nil {
			u = p.at.ResolveReference(u)
		}
		origin := ""
		if form != nil {
			origin = p.at.Scheme + "://" + p.at.Host
		}
		p.at = u
		if u.Scheme != "https" || p.to[u.Host] == nil {
			p.t.Fatalf("the browser is sent to %s", u.Redacted())
		}
		req := httptest.NewRequestWithContext(p.t.Context(), method, u.RequestURI(), strings.NewReader(form.Encode()))
		req.Host = u.Host
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", origin)
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		if p.proto != "" {
			req.Header.Set("X-Forwarded-Proto", p.proto)
		}
		for name, value := range p.cookies[u.Hostname()] {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		p.last = httptest.NewRecorder()
		p.to[u.Host].ServeHTTP(p.last, req)
		answer := p.last.Result()
		for _, c := range answer.Cookies() {
			if p.cookies[u.Hostname()] == nil {
				p.cookies[u.Hostname()] = map[string]string{}
			}
			if c.MaxAge < 0 {
				delete(p.cookies[u.Hostname()], c.Name)
				continue
			}
			p.cookies[u.Hostname()][c.Name] = c.Value
		}
		next := answer.Header.Get("Location")
		if next == "" {
			return p
		}
		method, address, form = http.MethodGet, next, nil
	}
	p.t.Fatalf("redirects do not end, at %s", p.at.Redacted())
	return nil
}

func (p *proxied) open(address string) *proxied {
	p.t.Helper()
	return p.send(http.MethodGet, address, nil)
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
)

func (p *proxied) submit(values url.Values) *proxied {
	p.t.Helper()
	body := p.last.Body.String()
	action := formAction.FindStringSubmatch(body)
	if action == nil {
		p.t.Fatalf("no form at %s: %d\n%s", p.at.Redacted(), p.last.Code, body)
	}
	form := url.Values{}
	for _, field := range formHidden.FindAllStringSubmatch(body, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	for name := range values {
		form.Set(name, values.Get(name))
	}
	return p.send(http.MethodPost, html.UnescapeString(action[1]), form)
}

func alicesPassword() url.Values {
	return url.Values{"username": {"alice"}, "password": {"wonderland"}}
}

const corp = "http://auth.corp.test {\n\tgatehouse_portal\n}\n" +
	"http://app.corp.test, http://*.apps.corp.test {\n\tgatehouse\n" + echo + "}\n" +
	"http://other.corp.test:8080 {\n\tgatehouse\n" + echo + "}\n"

// The usual layout in Kubernetes: an ingress ends TLS, and speaks plain http to
// a portal and its sites.
func TestBehindProxy_APortalSignsInForItsSitesWithoutListingThem(t *testing.T) {
	for _, port := range []string{"", ":8443"} {
		t.Run("port "+port, func(t *testing.T) {
			r := trusting(t, "issuer https://auth.corp.test"+port+"\n"+aliceLocal, corp)
			listens := map[string]string{"auth.corp.test" + port: ":80", "app.corp.test" + port: ":80", "one.apps.corp.test" + port: ":80", "other.corp.test" + port: ":8080"}
			p := newProxied(t, r, "https", listens)
			p.open("https://app.corp.test" + port + "/page?x=1").submit(alicesPassword())
			for _, host := range []string{"app.corp.test", "one.apps.corp.test", "other.corp.test"} {
				p.open("https://" + host + port + "/page?x=1")
				if p.last.Code != http.StatusOK || p.at.String() != "https://"+host+port+"/page?x=1" || !strings.Contains(p.last.Body.String(), "Remote-User: alice") {
					t.Errorf("%s: %d at %s\n%s", host, p.last.Code, p.at, p.last.Body)
				}
				if p.cookies[host]["__Host-gatehouse"] == "" {
					t.Errorf("%s: cookies %v", host, p.cookies[host])
				}
			}
			p.open("https://app.corp.test" + port + "/.gatehouse/logout").submit(nil)
			if p.open("https://other.corp.test" + port + "/"); p.last.Code != http.StatusOK || p.at.Hostname() != "auth.corp.test" {
				t.Errorf("after signing out: %d at %s", p.last.Code, p.at)
			}
		})
	}
}

// A client's own sign-out ends at the client's address again.
func TestBehindProxy_ASignOutLeadsBackToTheClient(t *testing.T) {
	client := "client web {\n\tsecret a-secret-of-the-client\n\tredirect_uri https://web.test/cb\n\tpost_logout_redirect_uri https://web.test/bye\n}\n"
	r := trusting(t, "issuer https://auth.corp.test\n"+client+aliceLocal, corp)
	p := newProxied(t, r, "https", map[string]string{"auth.corp.test": ":80", "app.corp.test": ":80", "web.test": ":80"})
	p.to["web.test"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	p.open("https://app.corp.test/").submit(alicesPassword())
	query := url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {"https://web.test/bye"}, "state": {"x"}}
	p.open("https://auth.corp.test/logout?" + query.Encode()).submit(nil)
	if p.last.Code != http.StatusTeapot || p.at.String() != "https://web.test/bye?state=x" {
		t.Errorf("%d at %s\n%s", p.last.Code, p.at, p.last.Body)
	}
}

// A code that is handed over by plain http is everybody's on the way.
func TestBehindProxy_CodesAreHandedOverToHTTPSOnly(t *testing.T) {
	for name, test := range map[string]struct {
		lines, site string
		trusts      bool
		want        []string
	}{
		"behind a proxy":           {"issuer https://auth.corp.test\n", "http://app.corp.test", true, []string{"https://app.corp.test"}},
		"port of the listener":     {"issuer https://auth.corp.test\n", "http://app.corp.test:8080", true, []string{"https://app.corp.test"}},
		"port of the issuer":       {"issuer https://auth.corp.test:8443\n", "http://app.corp.test", true, []string{"https://app.corp.test", "https://app.corp.test:8443"}},
		"wildcard":                 {"issuer https://auth.corp.test\n", "http://*.corp.test", true, []string{"https://*.corp.test"}},
		"name of this machine":     {"issuer https://auth.corp.test\n", "http://app.localhost:8080", true, []string{"http://app.localhost:8080", "https://app.localhost"}},
		"issuer of plain http":     {"issuer http://auth.corp.test\n", "http://app.corp.test", true, []string{"http://app.corp.test", "https://app.corp.test"}},
		"no issuer":                {"", "http://app.corp.test", true, []string{"https://app.corp.test"}},
		"no trusted proxy":         {"issuer http://auth.corp.test\n", "http://app.corp.test", false, []string{"http://app.corp.test"}},
		"no trusted proxy, either": {"", "http://app.corp.test:8080", false, []string{"http://app.corp.test:8080"}},
	} {
		t.Run(name, func(t *testing.T) {
			begin := serve
			if test.trusts {
				begin = trusting
			}
			r := begin(t, test.lines+aliceLocal, test.site+" {\n\tgatehouse\n"+echo+"}\n")
			if got := r.app.describe().Sites; !slices.Equal(got, test.want) {
				t.Errorf("sites %q, want %q", got, test.want)
			}
		})
	}
}

// doctor says what a browser would find out.
func TestDoctor_KnowsAPortalBehindAProxy(t *testing.T) {
	const sites = "http://auth.corp.test {\n\tgatehouse_portal\n}\nhttp://app.corp.test {\n\tgatehouse\n}\n"
	const byTLS = "https://auth.corp.test {\n\tgatehouse_portal\n}\nhttps://app.corp.test {\n\tgatehouse\n}\n"
	for name, test := range map[string]struct {
		issuer, sites, proxies, bind string
		ok                           bool
		says                         string
	}{
		"trusted":              {"https://auth.corp.test", sites, "trusted_proxies static private_ranges", "", true, "site         https://app.corp.test\n"},
		"not trusted":          {"https://auth.corp.test", sites, "", "", false, "trusted_proxies static"},
		"loopback":             {"https://auth.corp.test", sites, "", "127.0.0.1", false, "trusted_proxies static 127.0.0.1"},
		"socket":               {"https://auth.corp.test", sites, "", "unix//run/gatehouse.sock", false, "trusted_proxies_unix"},
		"trusted socket":       {"https://auth.corp.test", sites, "trusted_proxies_unix", "unix//run/gatehouse.sock", true, "site         https://app.corp.test\n"},
		"TLS of its own":       {"https://auth.corp.test", byTLS, "", "", true, "site         https://app.corp.test\n"},
		"issuer of plain http": {"http://auth.corp.test", sites, "", "", true, "warning      app.corp.test: guarded site is served over plain http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_DATA_HOME", t.TempDir()) // with no database of an earlier version
			options := "\tstorage file_system " + t.TempDir() + "\n"
			if test.proxies != "" {
				options += "\tservers {\n\t\t" + test.proxies + "\n\t}\n"
			}
			if test.bind != "" {
				options += "\tdefault_bind " + test.bind + "\n"
			}
			text := "{\n\tadmin off\n" + options + "\tgatehouse {\n\t\tissuer " + test.issuer + "\n" + aliceLocal + "\t}\n}\n" + test.sites
			adapted, err := adapt(text)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "caddy.json")
			if err := os.WriteFile(file, []byte(adapted), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, _, err := command("doctor", "--config", file)
			if (err == nil) != test.ok || strings.Contains(stdout, "status       ok") != test.ok || !strings.Contains(stdout, test.says) {
				t.Errorf("%v\n%s", err, stdout)
			}
			if strings.Contains(stdout, "http://app.corp.test") && test.ok && strings.HasPrefix(test.issuer, "https:") {
				t.Errorf("a site of plain http:\n%s", stdout)
			}
		})
	}
}

// A cache that knows a document by host and path alone would hand out the port
// that a stranger asked for.
func TestGuard_OnlyAKnownPortIsCached(t *testing.T) {
	site := "http://app.example.com {\n\tgatehouse\n" + echo + "}\nhttp://app.example.com:8080 {\n\tgatehouse\n" + echo + "}\n"
	var r *running
	documents := []string{"/.well-known/oauth-protected-resource", "/.gatehouse/.well-known/openid-configuration", "/.well-known/openid-configuration/.gatehouse", "/.well-known/oauth-authorization-server/.gatehouse"}
	for _, test := range []struct {
		r      *running
		proto  string
		host   string
		public bool
	}{
		{serve(t, aliceLocal, site), "", "app.example.com", true},
		{nil, "", "app.example.com:80", true},
		{nil, "", "app.example.com:8080", false}, // another server's
		{nil, "", "app.example.com:443", false},
		{nil, "", "app.example.com:31337", false},
		{nil, "https", "app.example.com", true}, // not believed
		{trusting(t, aliceLocal, site), "https", "app.example.com", true},
		{nil, "https", "app.example.com:443", true},
		{nil, "https", "app.example.com:8080", false},
		{nil, "https", "app.example.com:31337", false},
		{nil, "", "app.example.com", true},
	} {
		if test.r != nil {
			r = test.r
		}
		for _, path := range documents {
			req := get("http://app.example.com" + path)
			req.Host = test.host
			if test.proto != "" {
				req.Header.Set("X-Forwarded-Proto", test.proto)
			}
			rec := r.do(req)
			kept := rec.Header().Get("Cache-Control")
			// This one names itself as it was asked for (RFC 9728, section 3.3), and caches know
			// a host with its scheme's port by both spellings.
			public := test.public && (path != documents[0] || !strings.Contains(test.host, ":"))
			if rec.Code != http.StatusOK || strings.Contains(kept, "public") != public || !public && kept != "no-store" {
				t.Errorf("%s%s by %q: %d, Cache-Control %q", test.host, path, test.proto, rec.Code, kept)
			}
		}
		if test.r != nil { // the other server, by its port
			req := get("http://app.example.com:8080" + documents[0])
			rec := httptest.NewRecorder()
			r.srv[":8080"].ServeHTTP(rec, req)
			if kept := rec.Header().Get("Cache-Control"); !strings.Contains(kept, "public") {
				t.Errorf("at its own port: Cache-Control %q", kept)
			}
		}
		req := get("http://app.example.com/.gatehouse/jwks.json") // repeats nothing
		req.Host = test.host
		if kept := r.do(req).Header().Get("Cache-Control"); !strings.Contains(kept, "public") {
			t.Errorf("%s: keys have Cache-Control %q", test.host, kept)
		}
	}
}

// The same without trusted_proxies: whoever tries to sign in, and the operator, are
// told what is missing.
func TestBehindProxy_ThatIsNotTrustedIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		lines  string
		begin  func(testing.TB, string, string) *running
		proto  string
		submit bool
		want   string
	}{
		"portal":                           {"issuer https://auth.corp.test\n", serve, "https", false, "trusted_proxies"},
		"portal, proxy that says nothing":  {"issuer https://auth.corp.test\n", serve, "", false, "trusted_proxies"},
		"site":                             {"", serve, "https", true, "trusted_proxies"},
		"site, proxy that says nothing":    {"", serve, "", true, "trusted_proxies"},
		"portal, trusted but says nothing": {"issuer https://auth.corp.test\n", trusting, "", false, "X-Forwarded-Proto"},
		"site, trusted but says nothing":   {"", trusting, "", true, "X-Forwarded-Proto"},
	} {
		t.Run(name, func(t *testing.T) {
			sites := "http://app.corp.test {\n\tgatehouse\n" + echo + "}\n"
			if test.lines != "" {
				sites += "http://auth.corp.test {\n\tgatehouse_portal\n}\n"
			}
			r := test.begin(t, test.lines+aliceLocal, sites)
			p := newProxied(t, r, test.proto, map[string]string{"auth.corp.test": ":80", "app.corp.test": ":80"})
			p.open("https://app.corp.test/page")
			if test.submit {
				p.submit(alicesPassword())
			}
			if p.last.Code != http.StatusBadRequest || !strings.Contains(p.last.Body.String(), test.want) || p.cookies[p.at.Hostname()]["gatehouse"] != "" {
				t.Errorf("%d at %s\n%s", p.last.Code, p.at.Redacted(), p.last.Body)
			}
		})
	}
}
