package caddymodule

import (
	"net/http"
	"strings"
	"testing"
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
		"http://public.example.com {\n\t@closed not path /public/*\n\tgatehouse @closed\n"+echo+"}")
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
	}
	for _, tt := range tests {
		t.Run(tt.host+tt.path, func(t *testing.T) {
			wantStatus(t, r.do(request(t, tt.host, tt.path)), tt.want)
		})
	}
}

func FuzzReadings(f *testing.F) {
	for _, seed := range []string{"/", "/a;b/c", `/a\b`, "/%2e%2e/a", "/%", "/%2", "/;", "/%25%32%66"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, reading := range readings(path) {
			if !strings.HasPrefix(reading, "/") || reading == path || len(reading) > len(path) {
				t.Errorf("%q is read as %q", path, reading)
			}
		}
	})
}
