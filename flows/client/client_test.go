package client_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func TestValidate_NamesTheFault(t *testing.T) {
	secret := []client.Secret{client.NewSecret("a-long-enough-secret")}
	for fault, c := range map[string]client.Client{
		"1 to 255":                         {ID: ""},
		"printable ASCII":                  {ID: "a b", Secrets: secret},
		"choose one":                       {ID: "a", Public: true, Secrets: secret},
		"write `public`":                   {ID: "a"},
		"unknown grant":                    {ID: "a", Secrets: secret, Grants: []string{"password"}},
		"no redirect_uri":                  {ID: "a", Secrets: secret},
		"client_credentials":               {ID: "a", Public: true, Grants: []string{client.GrantClientCredentials}},
		"wildcard":                         {ID: "a", Secrets: secret, RedirectURIs: []string{"https://*.a.test/cb"}},
		"not an absolute URI":              {ID: "a", Secrets: secret, RedirectURIs: []string{"/cb"}},
		"must have no user":                {ID: "a", Secrets: secret, RedirectURIs: []string{"https://u@a.test/cb"}},
		"runs or shows":                    {ID: "a", Secrets: secret, RedirectURIs: []string{"javascript:alert(1)"}},
		"can keep no secret":               {ID: "a", Secrets: secret, RedirectURIs: []string{"com.example.app:/cb"}},
		`id_token_signing_alg is "HS256"`:  {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, IDTokenAlgorithm: "HS256"},
		`access_token_signing_alg is "no`:  {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, AccessTokenAlgorithm: "none"},
		"has no host":                      {ID: "a", Secrets: secret, RedirectURIs: []string{"https:///cb"}},
		"more than 2048":                   {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/" + strings.Repeat("a", 2048)}},
		"to 24h0m0s, not 48h":              {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, AccessTokenLifetime: 48 * time.Hour},
		"scope \"a b\"":                    {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, Scopes: []string{"openid", "a b"}},
		"scope \"\"":                       {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, Scopes: []string{""}},
		"post_logout_redirect_uri \"data:": {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, PostLogoutRedirectURIs: []string{"data:text/html,x"}},
		"resource \"api\"":                 {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, Resources: []string{"https://api.test", "api"}},
		"backchannel_logout_uri":           {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/"}, BackchannelLogoutURI: "a.test/logout"},
		"introspect":                       {ID: "a", Public: true, RedirectURIs: []string{"https://a.test/"}, ResourceServer: []string{"urn:a"}},
		"no fragment, wildcard, ":          {ID: "a", Secrets: secret, RedirectURIs: []string{"https://a.test/#x"}},
	} {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("want a fault with %q, got %v", fault, err)
		}
	}
}

func TestAllowsRedirect(t *testing.T) {
	c := client.Client{RedirectURIs: []string{"https://a.test/cb", "http://127.0.0.1/cb", "http://[::1]:1/cb?x=1", "http://localhost/cb", "com.example.app:/cb"}}
	for uri, want := range map[string]bool{
		"https://a.test/cb": true, "https://a.test/cb/": false, "https://a.test/cb?x": false, "https://a.test:443/cb": false,
		"https://A.test/cb": false, "https://a.test/%63b": false, "https://a.test/x/../cb": false, "https://a.test/cb#": false,
		"http://127.0.0.1/cb": true, "http://127.0.0.1:4711/cb": true, "http://127.0.0.1:/cb": false, "http://127.0.0.1:99999999/cb": false,
		"http://127.0.0.2:4711/cb": false, "http://u@127.0.0.1:4711/cb": false, "https://127.0.0.1:4711/cb": false,
		"http://127.0.0.1:4711/cb/..": false, "http://127.0.0.1:4711/cb#x": false, "http://127.0.0.1:4711\\@evil.test/cb": false,
		"http://127.0.0.1.evil.test/cb": false, "http://[::1]:99/cb?x=1": true, "http://[::1]/cb?x=1": true, "http://[::1]:99/cb": false,
		"http://localhost:99/cb": false, "http://localhost/cb": true, "com.example.app:/cb": true, "com.example.app:/cb2": false, "": false,
	} {
		if got := c.AllowsRedirect(uri); got != want {
			t.Errorf("%q: %v", uri, got)
		}
	}
}

func TestParseScope(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "openid": "openid", "a b a": "a,b", "a  b": "!", " a": "!", "a ": "!", "a\tb": "!", "ä": "!", `a"b`: "!", `a\b`: "!",
		strings.Repeat("a", 1024): strings.Repeat("a", 1024), strings.Repeat("a", 1025): "!", "a:b/c?d=e": "a:b/c?d=e",
	} {
		got, err := client.ParseScope(s)
		if (err != nil) != (want == "!") || err == nil && strings.Join(got, ",") != want {
			t.Errorf("%.40q: %v %v", s, got, err)
		}
	}
}

func TestParseBasic(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for header, want := range map[string]string{
		"Basic " + encode("a:b"): "a|b", "basic " + encode("a:b"): "a|b", "Basic " + encode("a%3Ab:c%20d"): "a:b|c d", "Basic " + encode("a:b:c"): "a|b:c",
		"Basic " + encode("a+b:c+d"): "a b|c d", "Basic " + encode("a"): "!", "Basic " + encode("%zz:b"): "!", "Basic " + encode(":b"): "!", "Basic !": "!",
		"Basic": "!", "Bearer " + encode("a:b"): "!", "Basicx " + encode("a:b"): "!", "Basic " + strings.TrimRight(encode("a:bcd"), "="): "!",
		"Basic " + encode(strings.Repeat("a", 5000)+":b"): "!",
	} {
		id, secret, ok := client.ParseBasic(header)
		if got := id + "|" + secret; ok == (want == "!") || ok && got != want {
			t.Errorf("%.40q: %q %v", header, got, ok)
		}
	}
}

func TestSecret_HashedIsCheckedSlowlyOnce(t *testing.T) {
	calls := 0
	c := client.Client{Secrets: []client.Secret{client.NewHashedSecret("$hash$right", func(hash, secret []byte) (bool, error) {
		calls++
		return string(hash) == "$hash$"+string(secret), nil
	})}}
	matches := func(presented string) bool {
		ok, err := c.MatchesSecret(t.Context(), presented, "")
		return ok && err == nil
	}
	for range 3 {
		if !matches("right") {
			t.Fatal("the right secret was refused")
		}
	}
	if matches("wrong") || matches("") || matches("right\x00") {
		t.Error("a wrong secret was taken")
	}
	if calls != 2 {
		t.Errorf("%d slow checks, want one for the right secret and one for the wrong one", calls)
	}
}

func FuzzAllowsRedirect(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1:1/cb", "http://127.0.0.1:1@evil.test/cb", "http://[::1%25lo]:1/cb", "http://127.0.0.1:1/cb?\\"} {
		f.Add(s)
	}
	c := client.Client{RedirectURIs: []string{"https://a.test/cb", "http://127.0.0.1/cb"}}
	f.Fuzz(func(t *testing.T, uri string) {
		if !c.AllowsRedirect(uri) || uri == "https://a.test/cb" {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Hostname() != "127.0.0.1" || u.Scheme != "http" || u.User != nil || u.Path != "/cb" || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is allowed", uri)
		}
	})
}

func FuzzParseScope(f *testing.F) {
	f.Add("openid profile")
	f.Fuzz(func(t *testing.T, s string) {
		scope, err := client.ParseScope(s)
		if err != nil {
			return
		}
		again, err := client.ParseScope(strings.Join(scope, " "))
		if err != nil || len(again) != len(scope) {
			t.Errorf("%q does not survive", s)
		}
	})
}

func FuzzParseBasic(f *testing.F) {
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, header string) {
		if id, _, ok := client.ParseBasic(header); ok && id == "" {
			t.Errorf("%q names nobody", header)
		}
	})
}
