package client_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func browserClients() map[string]*client.Client {
	return map[string]*client.Client{
		"spa": {RedirectURIs: []string{
			"https://SPA.test/callback?x=1", "https://spa.test:8443/cb", "https://own.test:443/cb", "http://plain.test:80/cb", "https://v6.test:/cb",
			"https://[2001:DB8::1]:8443/cb", "http://localhost:5173/cb",
		}},
		"native": {RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:1/cb", "com.example.app:/cb"}},
		"device": {},
	}
}

func TestOrigins(t *testing.T) {
	origins := client.NewOrigins(browserClients())
	for origin, want := range map[string]bool{
		"https://spa.test": true, "https://spa.test:8443": true, "https://own.test": true, "http://plain.test": true, "https://v6.test": true,
		"https://[2001:db8::1]:8443": true, "http://localhost:5173": true,
		// Another scheme, port, name or more than an origin.
		"http://spa.test": false, "https://spa.test:444": false, "https://spa.test:443": false, "https://a.spa.test": false, "https://spa.test.evil.test": false,
		"https://spa.test/": false, "https://spa.test/callback": false, "https://SPA.test": false, "https://x@spa.test": false, "spa.test": false,
		"https://spa.test https://evil.test": false, "https://own.test:443": false, "https://plain.test": false, "https://evil.test": false,
		// Loopback: any port, http alone, the very address.
		"http://127.0.0.1": true, "http://127.0.0.1:5173": true, "http://[::1]:5173": true, "http://[::1]": true,
		"https://127.0.0.1": false, "http://127.0.0.2:5173": false, "http://127.0.0.1:": false, "http://127.0.0.1:123456": false, "http://127.0.0.1:1/": false,
		"http://127.0.0.1.evil.test": false, "http://127.0.0.1:1@evil.test": false, "http://x@127.0.0.1:1": false,
		"http://localhost": false, "http://localhost:5174": false,
		// What has no origin.
		"null": false, "": false, "*": false, "com.example.app:": false, "com.example.app://": false, "file://": false,
	} {
		if got := origins.Allow(origin); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
	if (client.Origins{}).Allow("https://spa.test") {
		t.Error("no clients allow an origin")
	}
}

func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"https://spa.test", "http://127.0.0.1:1", "http://127.0.0.1:1@evil.test", "http://[::1%25lo]:1", "null", "http://127.0.0.1:1\\.evil.test"} {
		f.Add(s)
	}
	origins := client.NewOrigins(browserClients())
	f.Fuzz(func(t *testing.T, origin string) {
		if !origins.Allow(origin) {
			return
		}
		u, err := url.Parse(origin)
		if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q is allowed and no origin: %v", origin, err)
		}
		hosts := []string{"spa.test", "own.test", "plain.test", "v6.test", "2001:db8::1", "localhost", "127.0.0.1", "::1"}
		if !strings.Contains("|"+strings.Join(hosts, "|")+"|", "|"+u.Hostname()+"|") {
			t.Errorf("%q is allowed", origin)
		}
	})
}
