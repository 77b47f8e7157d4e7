package dialect_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/caddymodule/dialect"
)

// ask is a proxy's request on target with headers, "Name: value" each.
func ask(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RequestURI = r.URL.RequestURI()
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

var forwarded = []string{"X-Forwarded-Method: POST", "X-Forwarded-Proto: https", "X-Forwarded-Host: app.example.com", "X-Forwarded-Uri: /a?b=c"}

func TestRead(t *testing.T) {
	t.Parallel()
	want := dialect.Asked{Method: "POST", Scheme: "https", Host: "app.example.com", URI: "/a?b=c"}
	for name, r := range map[string]*http.Request{
		"nginx":   ask("GET", "http://gate/forward_auth", "X-Original-Method: POST", "X-Original-URL: https://app.example.com/a?b=c"),
		"haproxy": ask("GET", "http://gate/forward_auth", "X-Original-Method: POST", "X-Original-URL: https://app.example.com/a?b=c"),
		"traefik": ask("GET", "http://gate/forward_auth", forwarded...),
		"caddy":   ask("GET", "http://gate/forward_auth", forwarded...),
		"envoy":   ask("POST", "http://app.example.com/forward_auth/a?b=c", "X-Forwarded-Proto: https"),
	} {
		d := dialect.ByName(name)
		if !d.IsAsk(r) {
			t.Errorf("%s: is no question", name)
		}
		if got, err := d.Read(r); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// CVE-2026-40575: a client's X-Original-URL, or X-Forwarded-Uri, comes through a
// proxy that describes requests otherwise.
func TestRead_IgnoresTheOtherDialects(t *testing.T) {
	t.Parallel()
	r := ask("GET", "http://gate/forward_auth", append(forwarded, "X-Original-URL: https://app.example.com/public", "X-Original-Method: GET", "X-Rewrite-Url: /public")...)
	if got, err := dialect.ByName("traefik").Read(r); err != nil || got.URI != "/a?b=c" || got.Method != "POST" {
		t.Errorf("%+v, %v", got, err)
	}
	dialect.Strip(r.Header)
	if len(r.Header) != 0 {
		t.Errorf("left are %v", r.Header)
	}
}

func TestRead_Malformed(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*http.Request{
		"nothing":            ask("GET", "http://gate/forward_auth"),
		"no method":          ask("GET", "http://gate/forward_auth", "X-Original-URL: https://app.example.com/"),
		"twice":              ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https://app.example.com/", "X-Original-URL: https://app.example.com/x"),
		"relative":           ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: /x"),
		"no path":            ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https://app.example.com"),
		"query for a path":   ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https://app.example.com?x=/"),
		"no host":            ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https:///x"),
		"another scheme":     ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: ftp://app.example.com/x"),
		"fragment":           ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https://app.example.com/x#y"),
		"control characters": ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https://app.example.com/x\x01"),
		"bad method":         ask("GET", "http://gate/forward_auth", "X-Original-Method: GE T", "X-Original-URL: https://app.example.com/x"),
		"override":           ask("GET", "http://gate/forward_auth", "X-Original-Method: GET", "X-Original-URL: https://app.example.com/x", "X-HTTP-Method-Override: DELETE"),
	} {
		if got, err := dialect.ByName("nginx").Read(r); !errors.Is(err, dialect.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, change := range map[string]func(http.Header){
		"absolute":   func(h http.Header) { h.Set("X-Forwarded-Uri", "https://evil.example/") },
		"empty":      func(h http.Header) { h.Set("X-Forwarded-Uri", "") },
		"host twice": func(h http.Header) { h.Add("X-Forwarded-Host", "evil.example") },
		"list":       func(h http.Header) { h.Set("X-Forwarded-Proto", "https, http") },
	} {
		r := ask("GET", "http://gate/forward_auth", forwarded...)
		change(r.Header)
		if got, err := dialect.ByName("traefik").Read(r); !errors.Is(err, dialect.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What a proxy sends on to be answered is no question, though a client asks for the
// very path of questions.
func TestIsAsk_NotOfARequestThatIsSentOn(t *testing.T) {
	t.Parallel()
	nginx := dialect.ByName("nginx")
	for target, want := range map[string]bool{"/forward_auth": false, "/forward_auth?x": false, "/": false, "/forward_auth/x": false, "/.gatehouse/login": false} {
		r := ask("GET", "http://gate"+target, "X-Original-Method: GET", "X-Original-URL: https://app.example.com"+target)
		if got := nginx.IsAsk(r); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("GET", "https://app.example.com/a?b=c", "/a", "https")
	f.Add("", "https:///", "//x", "wss")
	f.Fuzz(func(t *testing.T, method, address, uri, scheme string) {
		h := http.Header{
			"X-Original-Method": {method}, "X-Original-Url": {address}, "X-Forwarded-Method": {method},
			"X-Forwarded-Uri": {uri}, "X-Forwarded-Host": {"app.example.com"}, "X-Forwarded-Proto": {scheme},
		}
		for _, name := range dialect.Names() {
			r := &http.Request{Method: "GET", URL: &url.URL{Path: "/forward_auth"}, Host: "app.example.com", Header: h.Clone()}
			d := dialect.ByName(name)
			d.IsAsk(r)
			got, err := d.Read(r)
			if err != nil {
				if !errors.Is(err, dialect.ErrMalformed) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if u, err := url.ParseRequestURI(got.URI); err != nil || !strings.HasPrefix(u.Path, "/") || u.Host != "" && !strings.HasPrefix(got.URI, "//") {
				t.Errorf("%s: %q is taken for a path: %v", name, got.URI, err)
			}
		}
	})
}
