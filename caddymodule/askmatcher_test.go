package caddymodule

import (
	"net/http"
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
	for matcher, guarded := range map[string]func(*http.Request){
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
	} {
		r := trusting(t, aliceLocal, "http:// {\n\t@m "+matcher+"\n\tgatehouse_forward_auth @m {\n\t\tproxy nginx\n\t\thosts app.corp.test\n\t}\n}\n")
		req := asks("nginx", http.MethodPost, "/deep/x?year=2026")
		req.Header.Set("X-Forwarded-For", "198.51.100.7")
		if guarded != nil {
			guarded(req)
		}
		if got := r.do(req); got.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d, so it does not match", matcher, got.Code)
		}
		if got := r.do(asks("nginx", http.MethodGet, "/other")); guarded == nil && strings.HasPrefix(matcher, "path") && got.Code != http.StatusOK {
			t.Errorf("%s matches everything: %d", matcher, got.Code)
		}
	}
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, "http:// {\n\t@m {\n\t\tpath /deep/*\n\t\tmethod POST\n\t\tquery year=2026\n\t\thost app.corp.test\n\t\tprotocol https\n\t\tremote_ip 198.51.100.7\n\t}\n"+
			"\tgatehouse_forward_auth @m {\n\t\tproxy "+name+"\n\t\thosts app.corp.test\n\t}\n}\n")
		for uri, want := range map[string]bool{"/deep/x?year=2026": true, "/x?year=2026": false, "/deep/x?year=2025": false} {
			req := asks(name, http.MethodPost, uri)
			req.Header.Set("X-Forwarded-For", "198.51.100.7")
			if got := r.do(req); (got.Code >= 400) != want {
				t.Errorf("%s asks about %s: %d", name, uri, got.Code)
			}
		}
	}
}
