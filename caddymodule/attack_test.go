package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// request asks for a path byte for byte.
func request(t *testing.T, host, path string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.RequestURI, req.RemoteAddr = path, "192.0.2.1:1234"
	req.URL.Scheme, req.URL.Host = "", ""
	return req
}

// An upstream may read a path in another way than the matcher does: where any
// reading must sign in, the request must.
func TestGuard_NoSpellingOfAPathSkipsTheMatcher(t *testing.T) {
	r := serve(t, aliceLocal, "http://part.example.com {\n\tgatehouse /admin/*\n"+echo+"}\n"+
		"http://public.example.com {\n\t@closed not path /public/*\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://cel.example.com {\n\t@closed `{path}.startsWith(\"/admin/\")`\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://regexp.example.com {\n\t@closed path_regexp ^/admin/\n\tgatehouse @closed\n"+echo+"}\n"+
		"http://deep.example.com {\n\tgatehouse /admin\n"+echo+"}\n"+
		"http://vars.example.com {\n\t@closed vars_regexp {uri} ^/admin/\n\tgatehouse @closed\n"+echo+"}")
	tests := []struct {
		host, path string
		want       int
	}{
		{"part.example.com", "/admin/x", 401},
		{"part.example.com", "/ADMIN/x", 401},
		{"part.example.com", "/%61dmin/x", 401},
		{"part.example.com", "//admin/x", 401},
		{"part.example.com", "/x/%2e%2e%2fadmin/x", 401},
		{"part.example.com", "/admin%2fx", 401},
		{"part.example.com", "/x/..%5cadmin/x", 401},
		{"part.example.com", "/x/..;/admin/x", 401},
		{"part.example.com", "/x/..;a=b/admin/x", 401},
		{"part.example.com", "/admin;a=b/x", 401},
		{"part.example.com", "/;/admin/x", 401},
		{"part.example.com", "/%2561dmin/x", 401},
		{"part.example.com", "/%252561dmin/x", 401},
		{"part.example.com", "/admin%5cx", 401},
		{"part.example.com", "/admin%252fx", 401},
		{"part.example.com", "/admin%253bx/y", 401},
		{"part.example.com", "/x/%252e%252e%255cadmin%255cx", 401},
		{"part.example.com", "/x%00/admin/x", 400},
		{"part.example.com", "/report;year=2026", 200},
		{"part.example.com", "/100%25", 200},
		{"part.example.com", "/a%5cb", 200},
		{"public.example.com", "/public/x", 200},
		{"public.example.com", "/public/x;v=1", 200},
		{"public.example.com", "/public/100%25%20sure", 200},
		{"public.example.com", "/public/../admin", 401},
		{"public.example.com", "/public/%2e%2e%2fadmin", 401},
		{"public.example.com", "/public/..%5cadmin", 401},
		{"public.example.com", "/public/..;/admin", 401},
		{"public.example.com", "/public/%252e%252e/admin", 401},
		{"public.example.com", "/public/..%255cadmin", 401},
		{"public.example.com", "/public/..%253b/admin", 401},
		{"public.example.com", "/public/%00/../admin", 400},
		{"public.example.com", "/public-secret", 401},
		{"public.example.com", "/admin?x=/public/", 401},
		{"cel.example.com", "/admin/x", 401},
		{"cel.example.com", "//admin/x", 401},
		{"cel.example.com", "/./admin/x", 401},
		{"cel.example.com", "/x/../admin/x", 401},
		{"cel.example.com", "/x/%2e%2e/admin/x", 401},
		{"cel.example.com", "/x/..;/admin/x", 401},
		{"cel.example.com", "/x/..%5cadmin%5cx", 401},
		{"cel.example.com", "/%2561dmin/x", 401},
		{"cel.example.com", "/x/.well-known", 200},
		{"vars.example.com", "/x/..;/admin/x", 401},
		{"vars.example.com", "//admin/x", 401},
		{"vars.example.com", "/x//y", 200},
		{"vars.example.com", "/ADMIN/x", 401},
		{"cel.example.com", "/Admin/x", 401},
		{"cel.example.com", "/Other/x", 200},
		{"regexp.example.com", "/admin/x", 401},
		{"regexp.example.com", "/ADMIN/x", 401},
		{"regexp.example.com", "/x/..;/Admin/x", 401},
		{"regexp.example.com", "/X/y", 200},
		{"deep.example.com", "/admin", 401},
		{"deep.example.com", "/admin/.", 401},
		{"deep.example.com", "/admin/..", 200},
	}
	for _, tt := range tests {
		t.Run(tt.host+tt.path, func(t *testing.T) {
			wantStatus(t, r.do(request(t, tt.host, tt.path)), tt.want)
		})
	}
}

// The parts of a path are read in the same ways as the whole.
func TestGuard_NoSpellingOfAPathSkipsAMatcherOfItsParts(t *testing.T) {
	const hidden = "//admin/secret.pdf"
	tests := []struct{ expression, path string }{
		{`{path.0} == "admin"`, hidden},
		{`{path.0} == "admin"`, "/;/admin/secret.pdf"},
		{`{path.1} == "secret.pdf"`, "/x/..;/admin/secret.pdf"},
		{`{http.request.orig_uri.path.0} == "admin"`, hidden},
		{`{dir} == "/admin/"`, hidden},
		{`{http.request.orig_uri.path.dir} == "/admin/"`, hidden},
		{`{file} == "secret.pdf"`, "/admin/secret.pdf;a=b"},
		{`{http.request.orig_uri.path.file} == "secret.pdf"`, "/admin/secret.pdf;a=b"},
		{`{http.request.orig_uri.path.file_escaped} == "secret.pdf"`, "/admin/secret.pdf;a=b"},
		{`{file.base} == "secret"`, "/admin%5csecret.pdf"},
		{`{file.ext} == ".pdf"`, "/admin/secret.pdf;a=b"},
		{`{http.request.uri.path_escaped}.startsWith("%2Fadmin")`, hidden},
		{`{http.request.uri_escaped}.startsWith("%2Fadmin")`, hidden},
	}
	var sites strings.Builder
	for i, c := range tests {
		fmt.Fprintf(&sites, "http://site%d.example.com {\n\t@closed `%s`\n\tgatehouse @closed\n%s}\n", i, c.expression, echo)
	}
	r := serve(t, aliceLocal, sites.String())
	for i, c := range tests {
		host := fmt.Sprintf("site%d.example.com", i)
		for path, want := range map[string]int{c.path + "?q=1": http.StatusUnauthorized, "//public/x": http.StatusOK} {
			if rec := r.do(request(t, host, path)); rec.Code != want {
				t.Errorf("%s of %s: status %d, want %d", c.expression, path, rec.Code, want)
			}
		}
	}
}

// Methods are case-sensitive, yet many a framework takes "post" for POST.
func TestGuard_NoSpellingOfAMethodSkipsTheMatcher(t *testing.T) {
	r := serve(t, aliceLocal, "http://all.example.com {\n\tgatehouse /admin\n"+echo+"}\n"+
		"http://write.example.com {\n\t@write method POST DELETE\n\tgatehouse @write\n"+echo+"}\n"+
		"http://both.example.com {\n\t@both {\n\t\tmethod POST\n\t\tpath /admin/*\n\t}\n\tgatehouse @both\n"+echo+"}\n"+
		"http://cel.example.com {\n\t@write `{method} == \"POST\"`\n\tgatehouse @write\n"+echo+"}")
	tests := []struct {
		method, host, path string
		want               int
	}{
		{"get", "all.example.com", "/admin", 401},
		{"GETX", "all.example.com", "/admin", 401},
		{"TRACE", "all.example.com", "/admin", 401},
		{"CONNECT", "all.example.com", "/admin", 400},
		{"GET", "write.example.com", "/x", 200},
		{"get", "write.example.com", "/x", 200},
		{"POST", "write.example.com", "/x", 401},
		{"post", "write.example.com", "/x", 401},
		{"dElEtE", "write.example.com", "/x", 401},
		{"post", "both.example.com", "/public", 200},
		{"post", "both.example.com", "/x/..;/admin/x", 401},
		{"post", "cel.example.com", "/x", 401},
		{"get", "cel.example.com", "/x", 200},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.host+tt.path, func(t *testing.T) {
			req := request(t, tt.host, tt.path)
			req.Method = tt.method
			wantStatus(t, r.do(req), tt.want)
		})
	}
}

// What asks a framework to take the request for another is for the framework.
func TestGuard_ReadsNoOverrides(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\t@closed {\n\t\tmethod POST\n\t\tpath /admin\n\t}\n\tgatehouse @closed\n"+echo+"}")
	for _, header := range []string{"X-HTTP-Method-Override: GET", "X-Method-Override: GET", "X-Original-URL: /x", "X-Rewrite-URL: /x", "X-Forwarded-Uri: /x"} {
		req := request(t, "app.example.com", "/admin?_method=GET")
		req.Method = http.MethodPost
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		if rec := r.do(req); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d", header, rec.Code)
		}
	}
}

// An address is what the connection has, unless a trusted proxy says otherwise.
func TestGuard_BelievesNoStrangerAboutTheAddress(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\t@outside not client_ip 10.0.0.0/8 127.0.0.1\n\tgatehouse @outside\n"+echo+"}")
	for _, header := range []string{
		"X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 127.0.0.1, 10.0.0.1", "X-Real-Ip: 127.0.0.1", "Forwarded: for=10.0.0.1",
		"True-Client-Ip: 10.0.0.1", "Cf-Connecting-Ip: 10.0.0.1", "X-Client-Ip: 10.0.0.1",
	} {
		req := request(t, "app.example.com", "/")
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		if rec := r.do(req); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d", header, rec.Code)
		}
	}
	req := request(t, "app.example.com", "/")
	req.RemoteAddr = "10.0.0.1:1234"
	wantStatus(t, r.do(req), http.StatusOK)
}

// What needs no sign-in is no way round the headers: preflights among it.
func TestGuard_TakesIdentityFromPreflightsToo(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\t@closed not method OPTIONS\n\tgatehouse @closed\n"+echo+"}")
	req := request(t, "app.example.com", "/")
	req.Method = http.MethodOptions
	for name, value := range map[string]string{
		"Remote-User": "mallory", "remote_groups": "mallory", "REMOTE.EMAIL": "mallory", "Cookie": "gatehouse=gts_x", "Authorization": "Bearer gtr_x",
		"Origin": "https://app.test", "Access-Control-Request-Method": "PUT",
	} {
		req.Header[name] = []string{value}
	}
	rec := r.do(req)
	wantStatus(t, rec, http.StatusOK)
	body := rec.Body.String()
	if strings.Contains(body, "mallory") || strings.Contains(body, "gts_") || strings.Contains(body, "gtr_") || !strings.Contains(body, "https://app.test") {
		t.Errorf("the upstream sees\n%s", body)
	}
}

// What follows the colon ends in addresses of our own and in what is kept by
// issuer, so it must be a port.
func TestGuard_KnowsItsNameWithAPortOnly(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com, http://[::1] {\n\tgatehouse\n"+echo+"}")
	for host, want := range map[string]int{
		"app.example.com": 401, "APP.example.com:8080": 401, "app.example.com:65535": 401, "[::1]": 401, "[::1]:8080": 401,
		"app.example.com:65536": 421, "app.example.com:080": 421, "app.example.com:0": 421, "app.example.com:": 421,
		"app.example.com:80a": 421, "app.example.com:made-up": 421, "app.example.com:80:80": 421, "[::1]8080": 421, "[::1]:x": 421, "[::1": 421,
	} {
		req := get("http://app.example.com/")
		req.Host = host
		rec := httptest.NewRecorder()
		guard := r.app.guards[0]
		srv := r.srv[":80"]
		repl := caddy.NewReplacer()
		if err := guard.ServeHTTP(rec, caddyhttp.PrepareRequest(req, repl, rec, srv), nil); err != nil {
			t.Fatal(err)
		}
		if rec.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, rec.Code, want)
		}
	}
}

// What somebody gets to see because of who they are must not come out of a
// shared cache to anybody else.
func TestGuard_KeepsAnswersOutOfSharedCaches(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /private/*\n"+
		"\theader /private/own Cache-Control \"public, max-age=60\"\n\trespond hello\n}")
	alice := r.signIn("app.example.com", nil)
	for path, want := range map[string]string{
		"/private/report.pdf": "private", "/private/own": "public, max-age=60", "/open": "",
	} {
		rec := r.do(get("http://app.example.com"+path, alice))
		wantStatus(t, rec, http.StatusOK)
		if got := rec.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
}
