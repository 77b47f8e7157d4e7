package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The proxy's question has another connection, another body and other variables than
// the client's request. A matcher about them would let everybody pass.
func TestForwardAuth_RefusesMatchersAboutWhatItCannotSee(t *testing.T) {
	for matcher, want := range map[string]string{
		"@m expression `{http.request.body}.contains('delete')`": "the body of the request",
		"@m vars {http.request.body_base64} Zm9v":                "the body of the request",
		"@m not vars {http.request.body} x":                      "the body of the request",
		"@m vars {http.request.tls.client.subject} CN=x":         "TLS connection",
		"@m tls": "TLS connection",
		"@m expression `tls({'early_data': true})`":                           "TLS connection",
		"@m expression {tls_client_subject}==\"CN=x\"":                        "TLS connection",
		"@m protocol http/2+":                                                 "version of HTTP",
		"@m expression `protocol('http/1.1')`":                                "version of HTTP",
		"@m expression {http.request.proto}==\"HTTP/1.1\"":                    "version of HTTP",
		"@m vars {http.request.remote.port} 80":                               "the connection of the request",
		"@m vars kind private":                                                "variables",
		"@m expression `vars({'kind': 'private'})`":                           "variables",
		"@m expression {http.vars.kind}==\"private\"":                         "variables",
		"@m {\n\t\tpath /x/*\n\t\tnot {\n\t\t\tprotocol http/1.0\n\t\t}\n\t}": "version of HTTP",
		"@m file x.html":                                                      "files of the site",
	} {
		site := "http:// {\n\t" + matcher + "\n\tgatehouse_forward_auth @m {\n\t\tproxy caddy\n\t\thosts app.corp.test\n\t}\n}\n"
		_, err := provision(t, config(t, t.TempDir(), aliceLocal, site))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "of gatehouse_forward_auth looks at") {
			t.Errorf("%s: %v", matcher, err)
		}
	}
}

// Matchers see the request that the client sent to the proxy.
func TestForwardAuth_MatchersSeeTheOriginalRequest(t *testing.T) {
	matchers := map[string]func(*http.Request){
		"path /deep/*":                               nil,
		"path_regexp ^/deep/":                        nil,
		"method POST":                                nil,
		"host app.corp.test":                         nil,
		"query year=2026":                            nil,
		"protocol https":                             nil,
		"not protocol http":                          nil,
		"header X-Forwarded-Proto https":             nil,
		"remote_ip 198.51.100.7":                     nil,
		"client_ip 198.51.100.0/24":                  nil,
		"remote_ip 2001:db8::/32":                    func(r *http.Request) { r.Header.Set("X-Forwarded-For", "2001:db8::7") },
		"header X-Asked-For private":                 func(r *http.Request) { r.Header.Set("X-Asked-For", "private") },
		"protocol grpc":                              func(r *http.Request) { r.Header.Set("Content-Type", "application/grpc") },
		"expression {scheme}==\"https\"":             nil,
		"expression {method}==\"POST\"":              nil,
		"expression {remote_host}==\"198.51.100.7\"": nil,
		"expression `{host} == 'app.corp.test' && {query}.contains('year=2026')`": nil,
		"expression `{http.request.orig_uri.path}.startsWith('/deep/')`":          nil,
	}
	ports := map[string]string{}
	var sites strings.Builder
	for matcher := range matchers {
		ports[matcher] = fmt.Sprintf(":%d", 8000+len(ports))
		_, _ = fmt.Fprintf(&sites, "http://%s {\n\t@m %s\n\tgatehouse_forward_auth @m {\n\t\tproxy nginx\n\t\thosts app.corp.test\n\t}\n}\n", ports[matcher], matcher)
	}
	for _, name := range allDialects {
		ports[name] = fmt.Sprintf(":%d", 8000+len(ports))
		_, _ = fmt.Fprintf(&sites, "http://%s {\n\t@m {\n\t\tpath /deep/*\n\t\tmethod POST\n\t\tquery year=2026\n\t\thost app.corp.test\n\t\tprotocol https\n\t\tremote_ip 198.51.100.7\n\t}\n"+
			"\tgatehouse_forward_auth @m {\n\t\tproxy %s\n\t\thosts app.corp.test\n\t}\n}\n", ports[name], name)
	}
	r := trusting(t, aliceLocal, sites.String())
	do := func(site string, req *http.Request) int {
		req.Header.Set("X-Forwarded-For", cmp.Or(req.Header.Get("X-Forwarded-For"), "198.51.100.7"))
		rec := httptest.NewRecorder()
		r.srv[ports[site]].ServeHTTP(rec, req)
		return rec.Code
	}
	for matcher, guarded := range matchers {
		req := asks("nginx", http.MethodPost, "/deep/x?year=2026")
		if guarded != nil {
			guarded(req)
		}
		if got := do(matcher, req); got != http.StatusUnauthorized {
			t.Errorf("%s: %d, so it does not match", matcher, got)
		}
		if got := do(matcher, asks("nginx", http.MethodGet, "/other")); strings.HasPrefix(matcher, "path") && got != http.StatusOK {
			t.Errorf("%s matches everything: %d", matcher, got)
		}
	}
	for _, name := range allDialects {
		for uri, want := range map[string]bool{"/deep/x?year=2026": true, "/x?year=2026": false, "/deep/x?year=2025": false} {
			if got := do(name, asks(name, http.MethodPost, uri)); (got >= 400) != want {
				t.Errorf("%s asks about %s: %d", name, uri, got)
			}
		}
	}
}
