package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// Sections 4.1 and 4.6: a verifier has 43 to 128 unreserved characters, and is
// the one of the challenge.
func TestRFC7636_Verifier(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	for name, c := range map[string]struct {
		verifier string
		good     bool
	}{
		"the RFC's own":      {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", true},
		"43":                 {strings.Repeat("a", 43), true},
		"128":                {strings.Repeat("a", 128), true},
		"all that it may be": {"-._~" + strings.Repeat("aZ09", 10), true},
		"42":                 {strings.Repeat("a", 42), false},
		"129":                {strings.Repeat("a", 129), false},
		"a space":            {strings.Repeat("a", 43) + " ", false},
		"a plus":             {strings.Repeat("a", 43) + "+", false},
		"a line feed":        {strings.Repeat("a", 43) + "\n", false},
		"a NUL":              {strings.Repeat("a", 43) + "\x00", false},
		"an umlaut":          {strings.Repeat("a", 43) + "ä", false},
		"empty":              {"", false},
	} {
		params := authorizeParams("web", "https://web.test/cb", "openid")
		params.Set("code_challenge", client.ChallengeS256(c.verifier))
		got := w.call("token", with(redeem(w.code(b, params)), set("code_verifier", c.verifier)), basic("web"))
		if c.good && got.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
		if !c.good {
			got.refused(t, name, http.StatusBadRequest, "invalid_grant")
		}
	}
}

// Section 4.6 and RFC 9700, section 4.8.2: PKCE cannot be taken off, nor put on
// by somebody who injects a code.
func TestRFC7636_NoDowngrade(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid")
	bare := with(params, drop("code_challenge", "code_challenge_method"))
	code := w.code(b, bare)
	w.call("token", redeem(code), basic("web")).refused(t, "a verifier without a challenge", http.StatusBadRequest, "invalid_grant")
	w.call("token", with(redeem(code), set("code_verifier", "")), basic("web")).
		refused(t, "an empty verifier without a challenge", http.StatusBadRequest, "invalid_grant")
	if got := w.call("token", with(redeem(code), drop("code_verifier")), basic("web")); got.status != http.StatusOK {
		t.Errorf("neither of both: %d %s", got.status, got.text)
	}
	challenged := w.code(b, params)
	for name, change := range map[string]func(url.Values){
		"no verifier": drop("code_verifier"), "an empty one": set("code_verifier", ""),
		"the challenge itself": set("code_verifier", params.Get("code_challenge")),
	} {
		w.call("token", with(redeem(challenged), change), basic("web")).refused(t, name, http.StatusBadRequest, "invalid_grant")
	}
	if got := w.call("token", redeem(challenged), basic("web")); got.status != http.StatusOK {
		t.Errorf("the verifier: %d %s", got.status, got.text)
	}
}

// Sections 4.3 and 4.4.1: S256 alone, and for public clients always. An empty
// challenge is not an absent one (CVE-2023-48228).
func TestRFC7636_Challenge(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	good := client.ChallengeS256(verifier)
	for name, change := range map[string]func(url.Values){
		"plain":                  set("code_challenge_method", "plain"),
		"lower case":             set("code_challenge_method", "s256"),
		"no method":              drop("code_challenge_method"),
		"an empty method":        set("code_challenge_method", ""),
		"a method alone":         drop("code_challenge"),
		"empty":                  set("code_challenge", ""),
		"empty, without method":  func(v url.Values) { v.Set("code_challenge", ""); v.Del("code_challenge_method") },
		"short":                  set("code_challenge", good[:42]),
		"long":                   set("code_challenge", good+"A"),
		"padded":                 set("code_challenge", good+"="),
		"not canonical":          set("code_challenge", strings.Repeat("A", 42)+"B"),
		"in the other alphabet":  set("code_challenge", strings.Repeat("A", 42)+"+"),
		"with a line feed":       set("code_challenge", good[:42]+"\n"+good[42:]),
		"with a line feed after": set("code_challenge", good+"\n"),
	} {
		for _, id := range []string{"web", "native"} {
			redirect := map[string]string{"web": "https://web.test/cb", "native": "com.example.app:/cb"}[id]
			params := with(authorizeParams(id, redirect, "openid"), change)
			b.get(w.portalURL() + "/authorize?" + params.Encode())
			to, _ := url.Parse(b.last.Header.Get("Location"))
			if to.Query().Get("error") != "invalid_request" || to.Query().Has("code") {
				t.Errorf("%s, by %s: %d to %s", name, id, b.last.StatusCode, to)
			}
		}
	}
	public := with(authorizeParams("native", "com.example.app:/cb", "openid"), drop("code_challenge", "code_challenge_method"))
	to := b.get(w.portalURL() + "/authorize?" + public.Encode()).last.Header.Get("Location")
	if !strings.HasPrefix(to, "com.example.app:/cb?") || !strings.Contains(to, "error=invalid_request") {
		t.Errorf("a public client without PKCE is sent to %s", to)
	}
}
