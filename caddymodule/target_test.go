package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A request target without a path is seen by no path matcher and read by
// upstreams in their own ways (RFC 9112, section 3.2).
func TestGuard_RefusesATargetWithoutAPath(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) }))
	t.Cleanup(app.Close)
	upstream := strings.TrimPrefix(app.URL, "http://")
	r := serve(t, aliceLocal, "http://part.example.com {\n\tgatehouse /admin/*\n\treverse_proxy "+upstream+"\n}\n"+
		"http://all.example.com {\n\tgatehouse /*\n\treverse_proxy "+upstream+"\n}\n"+
		"http://whole.example.com {\n\tgatehouse\n\treverse_proxy "+upstream+"\n}\n"+
		"http://rewritten.example.com {\n\trewrite * /public{uri}\n\tgatehouse /admin/*\n\treverse_proxy "+upstream+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	for _, tt := range []struct {
		line, host, want string
	}{
		{"GET x:admin/secret", "part", "400"},
		{"GET x:admin/secret", "all", "400"},
		{"GET x:admin/secret", "whole", "400"},
		{"GET x:admin/secret", "rewritten", "400"},
		{"GET http:admin/secret", "part", "400"},
		{"GET http:admin/secret", "rewritten", "400"},
		{"GET x:%61dmin/secret", "part", "400"},
		{"GET x:", "part", "400"},
		{"GET x:?q=1", "part", "400"},
		{"GET *", "part", "400"},
		{"GET *", "all", "400"},
		{"CONNECT part.example.com:80", "part", "400"},
		{"CONNECT part.example.com:80", "all", "400"},
		{"CONNECT whole.example.com:80", "whole", "400"},
		{"CONNECT /admin/secret", "part", "400"},
		{"CONNECT /open", "part", "400"},
		{"GET http://part.example.com", "part", "200 /"},
		{"POST http://part.example.com?q=1", "part", "200 /?q=1"},
		{"GET http://part.example.com/admin/x", "part", "401"},
		{"GET http:/admin/secret", "part", "401"},
		{"GET http://all.example.com", "all", "401"},
		{"POST http://all.example.com?q=1", "all", "401"},
		{"OPTIONS http://all.example.com", "all", "401"},
		{"GET http://whole.example.com?q", "whole", "401"},
	} {
		status, body := ask(t, front, tt.line+" HTTP/1.1", "Host: "+tt.host+".example.com")
		if got := strings.TrimSpace(fmt.Sprint(status, " ", body)); got != tt.want && (strings.Contains(tt.want, " ") || fmt.Sprint(status) != tt.want) {
			t.Errorf("%s at %s: %s, want %s", tt.line, tt.host, got, tt.want)
		}
	}
	// The server answers it itself, or the guard refuses it, as behind HTTP/3.
	if status, body := ask(t, front, "OPTIONS * HTTP/1.1", "Host: part.example.com"); status != http.StatusOK || body != "" {
		t.Errorf("OPTIONS *: %d %s", status, body)
	}
	req := get("http://part.example.com/")
	req.Method, req.URL.Path, req.RequestURI = http.MethodOptions, "*", "*"
	rec := r.do(req)
	wantStatus(t, rec, http.StatusBadRequest)
	if got := rec.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}
