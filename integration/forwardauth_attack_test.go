package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// attack sends what must not reach the application, or not as it is.
func (a asking) attack(t *testing.T) {
	t.Helper()
	const site = "https://app.example.com"
	// gRPC has its refusals in a 200.
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		got := a.send(t, nil, method, site+"/private/x", nil, "Content-Type: application/grpc", "TE: trailers")
		if strings.Contains(got.body, "/private/x") {
			t.Errorf("gRPC passes: %d\n%s", got.status, got.body)
		}
	}
	got := a.send(t, nil, http.MethodGet, site+"/open", nil, "Remote_User: mallory", "Remote.Groups: mallory")
	if strings.Contains(got.body, "mallory") {
		t.Errorf("another spelling: %d\n%s", got.status, got.body)
	}
	for _, connection := range []string{"Upgrade, HTTP2-Settings", "close"} {
		got = a.send(t, nil, http.MethodGet, site+"/open", nil, "Connection: "+connection, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
		if strings.Contains(got.body, "Upgrade: h2c") {
			t.Errorf("an upgrade to h2c (Bishop Fox, 2020), Connection: %s: %d\n%s", connection, got.status, got.body)
		}
	}
	// What a client names in Connection is removed: from the question and from what the
	// application gets, or from neither.
	hidden := []string{"X-HTTP-Method-Override: DELETE", "Remote~User: mallory"}
	if a.name != "caddy" && a.name != "traefik" { // they describe requests by other headers
		hidden = append(hidden, "X-Original-URL: https://app.example.com/mallory")
	}
	for _, header := range hidden {
		name, value, _ := strings.Cut(header, ": ")
		got = a.send(t, nil, http.MethodPost, site+"/open", nil, header, "Connection: close, "+name)
		if reached(got.body) && strings.Contains(got.body, value) {
			t.Errorf("%q passes by being named in Connection: %d\n%s", header, got.status, got.body)
		}
	}
	// Descriptions of another request (CVE-2026-40575).
	for _, headers := range [][]string{
		{"X-Original-URL: https://app.example.com/open", "X-Original-Method: GET"},
		{"X-Forwarded-Uri: /open", "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: app.example.com"},
		{"X-Forwarded-Uri: /open", "X-Original-URL: https://app.example.com/open", "Connection: close, X-Forwarded-Uri, X-Original-URL, X-Original-Method, X-Forwarded-Method"},
	} {
		if got := a.send(t, nil, http.MethodGet, site+"/private/x", nil, headers...); got.status != http.StatusUnauthorized {
			t.Errorf("%q: %d\n%s", headers, got.status, got.body)
		}
	}
	if got := a.send(t, nil, http.MethodPost, site+"/open", nil, "X-HTTP-Method-Override: DELETE"); got.status != http.StatusBadRequest {
		t.Errorf("another method: %d\n%s", got.status, got.body)
	}
	// Whoever could choose an address would have another's limits, and pass as inside.
	for _, uri := range []string{"/private/x", "/open", "/.gatehouse/login"} {
		a.send(t, nil, http.MethodGet, site+uri, nil, "X-Forwarded-For: 198.51.100.66", "X-Real-IP: 198.51.100.66", "Forwarded: for=198.51.100.66", "X-Forwarded-Proto: http")
	}
	if strings.Contains(a.node.Log.Text(), `"client_ip":"198.51.100.66"`) {
		t.Error("a client says where it comes from, and is believed")
	}
	a.malformed(t)
	a.paths(t)
}

// cleaned reports whether the proxy itself has made another path of what was sent,
// asked about that, and passed that on: one that is read alike by all, and open.
func (a asking) cleaned(answer string) bool {
	_, seen, _ := strings.Cut(answer, "\r\n\r\n")
	for line := range strings.Lines(seen) { // the first may be the length of a chunk
		if uri, ok := strings.CutPrefix(line, "GET "); ok {
			uri = strings.TrimSpace(uri)
			return a.name == "traefik" && path.Clean(uri) == strings.TrimSuffix(uri, "/") && !strings.Contains(uri, "%") && !strings.HasPrefix(strings.ToLower(uri), "/private/")
		}
	}
	return false
}

// malformed sends what is bad input to Gatehouse or to the proxy itself. None of it
// reaches the application, but what some read as its open paths.
func (a asking) malformed(t *testing.T) {
	t.Helper()
	const end = " HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n"
	large := "Cookie: theirs=" + strings.Repeat("x", 32<<10) + "\r\n"
	for name, request := range map[string]string{
		"a cookie of 32 KiB":              "GET /open" + end + large + "\r\n",
		"a guarded path with one":         "GET /private/x" + end + large + "\r\n",
		"cookies of 32 KiB":               "GET /open" + end + strings.Repeat("Cookie: theirs="+strings.Repeat("x", 4<<10)+"\r\n", 8) + "\r\n",
		"X-Forwarded-Uri twice":           "GET /private/x" + end + "X-Forwarded-Uri: /open\r\nX-Forwarded-Uri: /open\r\n\r\n",
		"X-Original-URL twice":            "GET /private/x" + end + "X-Original-URL: https://app.example.com/open\r\nX-Original-URL: https://app.example.com/open\r\n\r\n",
		"X-Original-URL, otherwise spelt": "GET /private/x" + end + "x-original-url: https://app.example.com/open\r\nX_Original_URL: https://app.example.com/open\r\n\r\n",
		"an address of elsewhere":         "GET https://evil.example/private/x HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n",
		"an address without a path":       "GET https://app.example.com HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		"an absolute address":             "GET https://app.example.com/private/x" + end + "\r\n",
		"no target":                       "GET " + end + "\r\n",
		"an asterisk":                     "OPTIONS *" + end + "\r\n",
		"CONNECT":                         "CONNECT app.example.com:443" + end + "\r\n",
		"no slash":                        "GET private/x" + end + "\r\n",
		"a fragment":                      "GET /open#/../private/x" + end + "\r\n",
		"a fragment of a guarded path":    "GET /private/x#/../../open" + end + "\r\n",
		"a host that is not configured":   "GET /open HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		"no host":                         "GET /private/x HTTP/1.0\r\n\r\n",
		"two hosts":                       "GET /private/x" + end + "Host: other.example.com\r\n\r\n",
		"a host with a path":              "GET /private/x HTTP/1.1\r\nHost: app.example.com/open?\r\nConnection: close\r\n\r\n",
		"a host with a folder":            "GET /private/x HTTP/1.1\r\nHost: app.example.com/open\r\nConnection: close\r\n\r\n",
		"a host with a port and a path":   "GET /private/x HTTP/1.1\r\nHost: app.example.com:443/open?\r\nConnection: close\r\n\r\n",
		"a host with a query":             "GET /private/x HTTP/1.1\r\nHost: app.example.com?\r\nConnection: close\r\n\r\n",
		"a host with a user":              "GET /private/x HTTP/1.1\r\nHost: evil.example@app.example.com\r\nConnection: close\r\n\r\n",
		"an IPv6 address":                 "GET /open HTTP/1.1\r\nHost: [::1]:8443\r\nConnection: close\r\n\r\n",
		"another method in the query":     "GET /private/x?_method=OPTIONS" + end + "\r\n",
		"a header in two lines":           "GET /private/x" + end + "X-Forwarded-Uri: /private/x\r\n /open\r\n\r\n",
		"a question of its own": "GET /forward_auth" + end + "X-Original-URL: https://app.example.com/private/x\r\nX-Original-Method: GET\r\n" +
			"X-Forwarded-Uri: /private/x\r\n\r\nGET /private/x" + end + "\r\n",
		"the place of questions": "GET /gatehouse-ask" + end + "\r\n",
	} {
		text := a.raw(t, request)
		if log := a.node.Log.Text(); strings.Contains(log, "example.com/open/private/x") || strings.Contains(log, "example.com/open?/private/x") {
			t.Fatalf("%s: the rules are asked about the path in Host", name)
		}
		open := strings.HasPrefix(text, "HTTP/1.1 200") && slices.Contains([]string{"an address without a path", "a question of its own", "the place of questions"}, name)
		if reached(text) && (!open || strings.Contains(text, "/private/x\nbody")) {
			t.Errorf("%s reaches the application:\n%.2000s", name, text)
		}
	}
}

// confuse sends one site's cookie to the other by an address that names both, and our
// cookie in spellings that are none of ours.
func (a asking) confuse(t *testing.T, cookies, others []*http.Cookie) {
	t.Helper()
	const rest = "\r\nConnection: close\r\nCookie: %s\r\n\r\n"
	for name, request := range map[string]string{
		"the other's cookie, and its name as Host": fmt.Sprintf("GET https://app.example.com/private/x HTTP/1.1\r\nHost: other.example.com"+rest, cookieHeader(others)),
		"this one's cookie for the other's name":   fmt.Sprintf("GET https://other.example.com/private/x HTTP/1.1\r\nHost: app.example.com"+rest, cookieHeader(cookies)),
		"the other's cookie, and two hosts":        fmt.Sprintf("GET /private/x HTTP/1.1\r\nHost: app.example.com\r\nHost: other.example.com"+rest, cookieHeader(others)),
		"X-Forwarded-Host":                         fmt.Sprintf("GET /private/x HTTP/1.1\r\nHost: app.example.com\r\nX-Forwarded-Host: other.example.com"+rest, cookieHeader(others)),
		"a WebSocket with a body": fmt.Sprintf("GET /private/ws HTTP/1.1\r\nHost: app.example.com\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://app.example.com\r\nContent-Length: 40"+rest, "none=1") + "GET /private/x HTTP/1.1\r\nHost: app\r\n\r\n",
	} {
		if text := a.raw(t, request); reached(text) || strings.Contains(text, " 101 ") {
			t.Errorf("%s reaches the application:\n%s", name, text)
		}
	}
	value := ""
	for _, c := range cookies {
		if c.Name == "__Host-gatehouse" {
			value = c.Value
		}
	}
	if value == "" {
		t.Fatalf("there is no session among %v", cookies)
	}
	for _, odd := range []string{"__host-GATEHOUSE=", "__Host%2Dgatehouse=", "gatehouse=", "x=1;__Host-gatehouse=", "\t__Host-gatehouse =", "$Version=1; __Host-gatehouse=", "x=\"; __Host-gatehouse="} {
		text := a.raw(t, fmt.Sprintf("GET /open HTTP/1.1\r\nHost: app.example.com"+rest, odd+value))
		if strings.Contains(text, value) {
			t.Errorf("the application is told the session as %q:\n%s", odd, text)
		}
	}
}

// paths sends every path of the table of what servers read differently.
func (a asking) paths(t *testing.T) {
	t.Helper()
	table, err := os.ReadFile("../flows/reading/testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		target, want, _ := strings.Cut(strings.ReplaceAll(line, "admin", "private"), "\t")
		if !strings.HasPrefix(target, "/") || !strings.Contains(target, "private") || strings.HasPrefix(want, "open") {
			continue
		}
		text := a.raw(t, "GET "+target+" HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n")
		if reached(text) && !a.cleaned(text) {
			t.Errorf("%s reaches the application:\n%s", target, text)
		}
	}
}
