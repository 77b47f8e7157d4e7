package flows_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// letsIn has alice let a client in, who is signed in already if she was before, and
// returns its tokens.
func (a agents) letsIn(b *browser, id, redirectURI string) map[string]any {
	a.t.Helper()
	b.get(a.authorizeURL(id, redirectURI, nil))
	if strings.Contains(b.body, `name="password"`) {
		b.signIn("alice", "wonderland")
	}
	b.want(http.StatusOK, "asks for access")
	status, tokens := a.redeems(id, redirectURI, a.answered(b, "approve").Get("code"))
	if status != http.StatusOK {
		a.t.Fatalf("tokens: %d %v", status, tokens)
	}
	return tokens
}

// sent opens an address and returns where the browser is sent from our pages, or nil.
func (a agents) sent(b *browser, u string) *url.URL {
	a.t.Helper()
	held := b.held().get(u)
	b.last, b.body = held.last, held.body
	to, err := held.last.Location()
	if err != nil {
		return nil
	}
	return to
}

// The attack of a confused deputy: somebody lets one client in; an attacker registers
// another with an address of their own, and has the victim's browser open a link. No
// consent may count for the other (MCP, Security Best Practices: Confused Deputy Problem).
func TestAgents_ConsentForOneServesNoOther(t *testing.T) {
	inBothIssuers(t, func(t *testing.T, a agents) {
		b := newBrowser(t)
		good := a.registers(webAgent)
		a.letsIn(b, good, "https://agent.test/callback")
		if to := a.sent(b, a.authorizeURL(good, "https://agent.test/callback", nil)); to == nil || to.Query().Get("code") == "" {
			t.Fatalf("who has consented is asked again: %s", b.body)
		}
		for name, metadata := range map[string]string{
			"an attacker's":           `{"client_name":"Web agent","redirect_uris":["https://evil.test/callback"]}`,
			"the same metadata":       webAgent,
			"the good address beside": `{"client_name":"Web agent","redirect_uris":["https://agent.test/callback","https://evil.test/callback"]}`,
		} {
			evil := a.registers(metadata)
			redirect := "https://evil.test/callback"
			if name == "the same metadata" {
				redirect = "https://agent.test/callback"
			}
			for _, more := range []url.Values{nil, {"prompt": {"none"}}, {"prompt": {"login"}, "max_age": {"0"}}} {
				if to := a.sent(b, a.authorizeURL(evil, redirect, more)); to != nil && (to.Host == "evil.test" || to.Host == "agent.test") {
					t.Errorf("%s, %v: the browser is sent to %s", name, more, to)
				}
			}
			if to := a.sent(b, a.authorizeURL(good, "https://evil.test/callback", nil)); to != nil {
				t.Errorf("the good client's id leads to %s", to)
			}
		}
		// What was asked in one person's session is not answered in another's.
		evil := a.registers(`{"client_name":"x","redirect_uris":["https://evil.test/callback"]}`)
		b.get(a.authorizeURL(evil, "https://evil.test/callback", nil)).want(http.StatusOK, "asks for access")
		attacker := newBrowser(t)
		attacker.get(a.authorizeURL(evil, "https://evil.test/callback", nil))
		attacker.signIn("bob", "builder").want(http.StatusOK, "asks for access")
		mine := hidden.FindAllStringSubmatch(attacker.body, -1)
		held := b.held()
		held.last, held.body = b.last, strings.ReplaceAll(b.body, hidden.FindAllStringSubmatch(b.body, -1)[0][2], mine[0][2])
		if held.submit(url.Values{"decision": {"approve"}}); held.last.Header.Get("Location") != "" {
			t.Errorf("alice's answer to bob's question leads to %s", held.last.Header.Get("Location"))
		}
	})
}

// A client can register the address of somebody whom people trust beside its own. Who has
// consented to answers there is asked before one goes elsewhere, and the sign-in page
// repeats no name that a stranger chose.
func TestAgents_ConsentIsForTheHostThatWasNamed(t *testing.T) {
	a := newAgents(t, true, nil)
	b := newBrowser(t)
	id := a.registers(`{"client_name":"Your bank","redirect_uris":["https://agent.test/callback","https://evil.test/callback"]}`)
	b.get(a.authorizeURL(id, "https://agent.test/callback", nil)).want(http.StatusOK, "agent.test")
	if strings.Contains(b.body, "Your bank") {
		t.Errorf("the sign-in page says the client's own name:\n%s", b.body)
	}
	a.letsIn(b, id, "https://agent.test/callback")
	if to := a.sent(b, a.authorizeURL(id, "https://agent.test/callback", nil)); to == nil || to.Query().Get("code") == "" {
		t.Fatalf("who has consented is asked again:\n%s", b.body)
	}
	if to := a.sent(b, a.authorizeURL(id, "https://evil.test/callback", nil)); to != nil {
		t.Errorf("without a question the browser is sent to %s", to)
	}
	b.want(http.StatusOK, "evil.test")
	b.get(a.endpoint("")).want(http.StatusOK, "Agents that you let in")
	if strings.Contains(b.body, "answer ") {
		t.Errorf("the page shows what is no business of people:\n%s", b.body)
	}
}

// flaky is a cache that cannot start a flow while it is told so.
type flaky struct {
	cache.Store
	down *atomic.Bool
}

func (f flaky) StartFlow(ctx context.Context, n cache.NewFlow) error {
	if f.down.Load() {
		return cache.ErrUnavailable
	}
	return f.Store.StartFlow(ctx, n)
}

// Who has consented when a store failed is led on by a link. In another person's browser
// the link is a question: else an attacker would consent for others.
func TestAgents_TheLinkAfterAnOutageIsOnesOwn(t *testing.T) {
	a := newAgents(t, true, nil)
	var down atomic.Bool
	config := a.gateway.Config
	config.Cache = flaky{Store: config.Cache, down: &down}
	var err error
	if a.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	id := a.registers(webAgent)
	attacker := newBrowser(t)
	attacker.get(a.authorizeURL(id, "https://agent.test/callback", nil)).signIn("bob", "builder").want(http.StatusOK, "asks for access")
	down.Store(true)
	attacker.submit(url.Values{"decision": {"approve"}}).want(http.StatusServiceUnavailable, "")
	down.Store(false)
	link := regexp.MustCompile(`href="([^"]*signin\?request=[^"]*)"`).FindStringSubmatch(attacker.body)
	if link == nil {
		t.Fatalf("no link leads on:\n%s", attacker.body)
	}
	retry := a.portalURL() + html.UnescapeString(link[1])
	victim := newBrowser(t)
	victim.get(a.endpoint("")).get(a.authorizeURL(id, "https://agent.test/callback", nil)).signIn("alice", "wonderland").want(http.StatusOK, "asks for access")
	if to := a.sent(victim, retry); to != nil {
		t.Errorf("another's browser is sent to %s", to)
	}
	if to := a.sent(attacker, retry); to == nil || to.Query().Get("code") == "" {
		t.Errorf("who has consented is asked again:\n%s", attacker.body)
	}
}

// On this device anybody can listen where the client does, or claim its scheme: consent is
// asked for each time, and names what is given away.
func TestAgents_OnTheDeviceAreAskedForEachTime(t *testing.T) {
	a := newAgents(t, false, nil)
	b := newBrowser(t)
	for _, c := range []struct{ metadata, redirect string }{ // in this order: the first one signs in
		{nativeAgent, "http://127.0.0.1:5000/callback"},
		{`{"client_name":"Editor","redirect_uris":["cursor://claude.ai/cb"]}`, "cursor://claude.ai/cb"},
		{`{"client_name":"Local","redirect_uris":["http://localhost:8400/cb"]}`, "http://localhost:8400/cb"},
	} {
		redirect := c.redirect
		id := a.registers(c.metadata)
		for range 2 {
			a.letsIn(b, id, redirect)
			if !strings.Contains(b.body, "Any program there can pretend") {
				t.Errorf("%s: the page warns of nothing:\n%s", redirect, b.body)
			}
			if strings.HasPrefix(redirect, "cursor") && !strings.Contains(b.body, "cursor://claude.ai") {
				t.Errorf("the page takes an app's scheme for a host:\n%s", b.body)
			}
		}
		if to := a.sent(b, a.authorizeURL(id, redirect, url.Values{"prompt": {"none"}})); to != nil {
			t.Errorf("%s: without a question the browser is sent to %s", redirect, to)
		}
	}
	if !strings.Contains(b.body, "interaction") && !strings.Contains(b.body, "asked") {
		t.Errorf("the page does not say why:\n%s", b.body)
	}
}

// The page names the provider's token that the client will act with, and a token that
// comes to be passed on later is asked about anew.
func TestAgents_ConsentNamesTheProvidersToken(t *testing.T) {
	a := newAgents(t, false, func(r *flows.Registration) { r.Open[0].ProviderTokens = nil })
	b := newBrowser(t)
	id := a.registers(webAgent)
	a.letsIn(b, id, "https://agent.test/callback")
	if strings.Contains(b.body, "in your name through") {
		t.Errorf("a token is named that nobody passes on:\n%s", b.body)
	}
	config := a.gateway.Config
	config.Registration.Open = []flows.OpenResource{{Origin: a.siteURL("app"), Scopes: []string{"files:read", "files:write"}, ProviderTokens: []string{"local"}}}
	var err error
	if a.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	b.get(a.authorizeURL(id, "https://agent.test/callback", nil)).want(http.StatusOK, "in your name through app.sites.test")
}

// An invalid request of a client that anybody can register leads nobody to its address:
// the registration would make an open redirect of us (RFC 9700, section 4.11.2).
func TestAgents_TheirInvalidRequestsGetOurPage(t *testing.T) {
	inBothIssuers(t, func(t *testing.T, a agents) {
		id := a.registers(webAgent)
		b := newBrowser(t)
		for name, more := range map[string]url.Values{
			"another response type":  {"response_type": {"token"}},
			"no response type":       {"response_type": {""}},
			"no PKCE":                {"code_challenge": {""}},
			"plain PKCE":             {"code_challenge_method": {"plain"}},
			"nobody is signed in":    {"prompt": {"none"}},
			"a bad prompt":           {"prompt": {"none login"}},
			"a bad scope":            {"scope": {"a\"b"}},
			"the issuer":             {"resource": {a.issuer}},
			"userinfo":               {"resource": {a.issuer + "/userinfo"}},
			"another site":           {"resource": {a.siteURL("second")}},
			"a path of two readings": {"resource": {a.siteURL("app") + "/a/../admin"}},
			"a query":                {"resource": {a.siteURL("app") + "/?x"}},
			"a stranger's":           {"resource": {"https://evil.test/"}},
			"two resources":          {"resource": {a.siteURL("app"), a.siteURL("second")}},
			"a request object":       {"request": {"x"}},
			"another mode":           {"response_mode": {"form_post"}},
			"twice":                  {"state": {"a", "b"}},
			"too long a state":       {"state": {strings.Repeat("x", 5000)}},
			"another address":        {"redirect_uri": {"https://agent.test/callback/../x"}},
			"a fragment":             {"redirect_uri": {"https://agent.test/callback#x"}},
		} {
			if to := a.sent(b, a.authorizeURL(id, "https://agent.test/callback", more)); to != nil {
				t.Errorf("%s: the browser is sent to %s", name, to)
			}
			if b.last.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d", name, b.last.StatusCode)
			}
		}
		// Who is asked and refuses has seen the address.
		b.get(a.authorizeURL(id, "https://agent.test/callback", nil))
		b.signIn("alice", "wonderland").want(http.StatusOK, "asks for access")
		if answer := a.answered(b, "refuse"); answer.Get("error") != "access_denied" || answer.Get("iss") == "" {
			t.Errorf("after a refusal: %v", answer)
		}
	})
}

// A client that registered itself has the code and refresh grants at what is open to it,
// and nothing else of ours.
func TestAgents_HaveNothingElse(t *testing.T) {
	inBothIssuers(t, func(t *testing.T, a agents) {
		b := newBrowser(t)
		id := a.registers(webAgent)
		tokens := a.letsIn(b, id, "https://agent.test/callback")
		access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
		form := func(endpoint string, values url.Values) (int, any) {
			t.Helper()
			values.Set("client_id", id)
			status, answer := a.post(endpoint, "application/x-www-form-urlencoded", values.Encode())
			return status, answer["error"]
		}
		for name, c := range map[string]struct {
			endpoint string
			values   url.Values
			want     string
		}{
			"the device grant": {"device_authorization", url.Values{"scope": {"files:read"}}, "unauthorized_client"},
			"a device code":    {"token", url.Values{"grant_type": {client.GrantDevice}, "device_code": {"x"}}, "unauthorized_client"},
			"for itself":       {"token", url.Values{"grant_type": {client.GrantClientCredentials}}, "unauthorized_client"},
			"a pushed request": {"par", url.Values{"response_type": {"code"}}, "unauthorized_client"},
			"another resource": {"token", url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {refresh}, "resource": {a.issuer}}, "invalid_target"},
			"a wider scope":    {"token", url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {refresh}, "scope": {"openid"}}, "invalid_scope"},
			"introspection":    {"introspect", url.Values{"token": {access}}, "invalid_client"},
		} {
			if status, got := form(c.endpoint, c.values); got != c.want {
				t.Errorf("%s: %d %v, want %s", name, status, got, c.want)
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.endpoint("userinfo"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+access)
		if got := newBrowser(t).do(req).last.StatusCode; got == http.StatusOK {
			t.Error("userinfo answers")
		}
		// What the configuration takes away is gone at the next refresh.
		config := a.gateway.Config
		config.Registration.Open = []flows.OpenResource{{Origin: a.siteURL("second")}}
		if a.gateway, err = flows.New(config); err != nil {
			t.Fatal(err)
		}
		if status, got := form("token", url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {refresh}}); status == http.StatusOK {
			t.Errorf("a refresh for what is not open any more: %d %v", status, got)
		}
	})
}

// A person sees whom they let in, and ends it.
func TestAgents_OnAPersonsOwnPage(t *testing.T) {
	inBothIssuers(t, func(t *testing.T, a agents) {
		b := newBrowser(t)
		web, native := a.registers(webAgent), a.registers(nativeAgent)
		first := a.letsIn(b, web, "https://agent.test/callback")
		second := a.letsIn(b, native, "http://127.0.0.1:5000/callback")
		home := a.endpoint("")
		b.get(home).want(http.StatusOK, "Agents that you let in")
		for _, said := range []string{"Web agent", "agent.test", "Agent", "127.0.0.1", "app.sites.test", "Last used"} {
			if !strings.Contains(b.body, said) {
				t.Errorf("the page does not say %q:\n%s", said, b.body)
			}
		}
		listed, err := a.gateway.Agents(t.Context(), "")
		if err != nil || len(listed) != 2 || listed[0].Name != "Agent" || listed[1].Host != "agent.test" || listed[0].Sessions != 1 || fmt.Sprint(listed[0].Resources) == "[]" {
			t.Fatalf("an administrator is told %+v %v", listed, err)
		}
		if own, err := a.gateway.Agents(t.Context(), listed[0].Subject); err != nil || len(own) != 2 {
			t.Errorf("of the person an administrator is told %+v %v", own, err)
		}
		if strings.Contains(b.body, "Apps with access") {
			t.Errorf("an agent is among the applications:\n%s", b.body)
		}
		b.submit(url.Values{"client": {web}}).want(http.StatusOK, "Web agent no longer has access")
		if a.calls("/", first["access_token"].(string)) != http.StatusUnauthorized {
			t.Error("an agent that was ended calls on")
		}
		if a.calls("/", second["access_token"].(string)) != http.StatusOK {
			t.Error("another was ended with it")
		}
		if err := a.gateway.EndAgent(t.Context(), "", native); err != nil {
			t.Fatal(err)
		}
		if a.calls("/", second["access_token"].(string)) != http.StatusUnauthorized {
			t.Error("an agent that the administrator ended calls on")
		}
		for _, id := range []string{native, web, "app.sites.test", "unknown"} {
			if err := a.gateway.EndAgent(t.Context(), "", id); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("ending %s: %v", id[:4], err)
			}
		}
		b.get(home)
		if strings.Contains(b.body, "Agents that you let in") {
			t.Errorf("an agent is still there:\n%s", b.body)
		}
		b.get(a.authorizeURL(web, "https://agent.test/callback", nil)).want(http.StatusOK, "asks for access")
		b.get(home)
		b.submit(url.Values{"client": {web}}).want(http.StatusOK, "ended already")
	})
}
