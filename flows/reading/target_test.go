package reading_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// RFC 9112, section 3.2.
func TestTarget_HasAPath(t *testing.T) {
	for line, want := range map[string]string{
		"GET / HTTP/1.1":                         "/",
		"GET /x?y HTTP/1.1":                      "/x?y",
		"GET //x HTTP/1.1":                       "//x",
		"GET http://a/x HTTP/1.1":                "/x",
		"GET http://a HTTP/1.1":                  "/",
		"POST http://a?q=1 HTTP/1.1":             "/?q=1",
		"OPTIONS http://a HTTP/1.1":              "/",
		"GET http:/admin/secret HTTP/1.1":        "/admin/secret",
		"GET x:admin/secret HTTP/1.1":            "",
		"GET http:admin/secret HTTP/1.1":         "",
		"GET x:%61dmin/secret HTTP/1.1":          "",
		"GET x:?q HTTP/1.1":                      "",
		"OPTIONS * HTTP/1.1":                     "",
		"GET * HTTP/1.1":                         "",
		"CONNECT a:443 HTTP/1.1":                 "",
		"CONNECT /admin/secret HTTP/1.1":         "",
		"CONNECT http://a/admin/secret HTTP/1.1": "",
		"PRI * HTTP/2.0":                         "",
	} {
		r := read(t, line, "Host: a")
		got := ""
		if err := reading.Target(r); err == nil {
			got = r.URL.RequestURI()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
}

// RFC 8441 and RFC 9220; what else a CONNECT could open nobody would read.
func TestTarget_ExtendedConnectOpensWebSocketsAlone(t *testing.T) {
	for _, tt := range []struct {
		major    int
		proto    string
		protocol []string
		want     bool
	}{
		{2, "HTTP/2.0", []string{"websocket"}, true},
		{2, "HTTP/2.0", []string{"connect-udp"}, false},
		{2, "HTTP/2.0", []string{"websocket", "websocket"}, false},
		{2, "HTTP/2.0", nil, false},
		{2, "websocket", nil, false},
		{1, "HTTP/1.1", []string{"websocket"}, false},
		{3, "websocket", nil, true},
		{3, "webtransport", nil, false},
		{3, "HTTP/3.0", []string{"websocket"}, false},
	} {
		r := &http.Request{Method: http.MethodConnect, ProtoMajor: tt.major, Proto: tt.proto, URL: &url.URL{Path: "/chat"}, Header: http.Header{}}
		if tt.protocol != nil {
			r.Header[":protocol"] = tt.protocol
		}
		if got := reading.Target(r) == nil; got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
