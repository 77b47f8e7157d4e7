package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// TestRefusals_AreLoggedForWhoCanMendThem: each refusal leaves a line that names the
// client, the user, the provider, the rule and the cure, as far as they are known
// (authelia#3684, oauth2-proxy#1012: "403 and nothing in the log").
func TestRefusals_AreLoggedForWhoCanMendThem(t *testing.T) {
	nobody := &policy.Policy{Name: "staff", Allow: []policy.Rule{{Group: []string{"staff"}}}}
	clients := func() []*client.Client {
		all := oauthClients()
		for _, c := range all {
			c.Policy = nobody
		}
		return all
	}
	banned := func(c identity.Claims) bool { return c.User != "bob" }
	authorize := func(w *world, b *browser, change func(url.Values)) {
		b.held().get(w.portalURL() + "/authorize?" + with(authorizeParams("web", "https://web.test/cb", "openid"), change).Encode())
	}
	for name, c := range map[string]struct {
		options worldOptions
		provoke func(w *world, b *browser)
		line    string
		fields  []string
	}{
		"the provider's rules": {
			options: worldOptions{admit: banned}, line: "sign-in not allowed",
			provoke: func(w *world, b *browser) {
				b.get(w.siteURL("one")+"/").signIn("bob", "builder").want(http.StatusForbidden, "allowed to sign in here")
			},
			fields: []string{"user=bob", "provider=local", `rules="provider local"`, `rule="the rule of the test"`, "client_id=one.sites.test", "cure="},
		},
		"the client's policy": {
			options: worldOptions{clients: clients()}, line: "policy refuses a client",
			provoke: func(w *world, b *browser) {
				b.get(w.siteURL("one")+"/").signIn("bob", "builder")
				authorize(w, b, nil)
			},
			fields: []string{"user=bob", "provider=local", `rules="client web"`, "no rule of policy", "client_id=web", "cure="},
		},
		"the client, of that": {
			options: worldOptions{clients: clients()}, line: "a client was refused",
			provoke: func(w *world, b *browser) {
				b.get(w.siteURL("one")+"/").signIn("bob", "builder")
				authorize(w, b, nil)
			},
			fields: []string{"client_id=web", "error=access_denied", "reason=", "reference=", "redirect_uri="},
		},
		"a redirect URI that is not the client's": {
			options: worldOptions{clients: oauthClients()}, line: "authorization request refused",
			provoke: func(w *world, b *browser) { authorize(w, b, set("redirect_uri", "https://evil.test/cb")) },
			fields:  []string{"client_id=web", "redirect_uri=https://evil.test/cb", "reason=", "reference=", "client_ip="},
		},
		"a client that is not known": {
			options: worldOptions{clients: oauthClients()}, line: "authorization request refused",
			provoke: func(w *world, b *browser) { authorize(w, b, set("client_id", "nobody")) },
			fields:  []string{"client_id=nobody", `reason="No client of that client_id`},
		},
		"a scope": {
			options: worldOptions{clients: oauthClients()}, line: "a client was refused",
			provoke: func(w *world, b *browser) { authorize(w, b, set("scope", "admin")) },
			fields:  []string{"client_id=web", "error=invalid_scope", "reason="},
		},
		"a client's secret": {
			options: worldOptions{clients: oauthClients()}, line: "a client was refused",
			provoke: func(w *world, _ *browser) {
				w.call("token", redeem("x"), "Authorization: Basic d2ViOnd3dw==")
			},
			fields: []string{"client_id=web", "error=invalid_client", "reason=", "endpoint=/token"},
		},
		"a browser without cookies": {
			line: "a browser that sends no cookie cannot sign in",
			provoke: func(w *world, b *browser) {
				b.get(w.siteURL("one")+"/").want(http.StatusOK, "password")
				b.Jar = nil
				b.signIn("alice", "wonderland")
			},
			fields: []string{"host=", "cure="},
		},
		"a sign-out by a form of others": {
			options: worldOptions{clients: oauthClients()}, line: "a sign-out was not done",
			provoke: func(w *world, b *browser) {
				b.get(w.siteURL("one")+"/").signIn("alice", "wonderland")
				b.navigate(w.portalURL()+"/logout", url.Values{"form": {"x"}})
			},
			fields: []string{"client_id=", "reason="},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.portal = true
			w := newWorld(t, c.options)
			c.provoke(w, newBrowser(t))
			var lines []string
			for line := range strings.Lines(w.logs.String()) {
				if strings.Contains(line, c.line) {
					lines = append(lines, line)
				}
			}
			if !slices.ContainsFunc(lines, func(line string) bool {
				return !slices.ContainsFunc(c.fields, func(f string) bool { return !strings.Contains(line, f) })
			}) {
				t.Errorf("no line %q has %q:\n%s", c.line, c.fields, w.logs)
			}
		})
	}
}
