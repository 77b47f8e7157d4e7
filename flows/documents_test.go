package flows_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
)

// publisher publishes metadata documents at agent.test.
type publisher struct {
	fetched  atomic.Int64
	document atomic.Pointer[string]
}

const documentID = "https://agent.test/oauth/client.json"

func newDocumented(t *testing.T, portal bool, hosts ...string) (agents, *publisher) {
	t.Helper()
	p := new(publisher)
	p.says("https://agent.test/callback")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetched.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = io.WriteString(w, *p.document.Load())
	}))
	t.Cleanup(server.Close)
	var a agents
	now := func() time.Time { return a.clock.now() }
	a = newAgents(t, portal, func(r *flows.Registration) {
		r.Dynamic = false
		r.Documents = registration.NewDocuments(registration.DocumentsConfig{Hosts: hosts, Now: now, Client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the server is in this process
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
				}},
		}})
	})
	return a, p
}

func (p *publisher) says(uris ...string) {
	s := fmt.Sprintf(`{"client_id":%q,"client_name":"Published agent","redirect_uris":["%s"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none","logo_uri":"http://10.0.0.1/logo"}`,
		documentID, strings.Join(uris, `","`))
	p.document.Store(&s)
}

// A client that has a document comes without registering; nothing is fetched for somebody
// who has not signed in, and a consent holds for what the document said.
func TestDocuments_FromNothingToACall(t *testing.T) {
	for name, portal := range map[string]bool{"single site": false, "portal": true} {
		t.Run(name, func(t *testing.T) {
			a, p := newDocumented(t, portal)
			b := newBrowser(t)
			const redirect = "https://agent.test/callback"
			b.get(a.authorizeURL(documentID, redirect, nil)).want(http.StatusOK, "agent.test")
			if p.fetched.Load() != 0 {
				t.Error("a stranger has us fetch a document")
			}
			b.signIn("alice", "wonderland").want(http.StatusOK, "asks for access")
			for _, said := range []string{"Published agent", "It says who it is at <strong><bdi>agent.test", "sent to <strong><bdi>agent.test"} {
				if !strings.Contains(b.body, said) {
					t.Errorf("the consent page does not say %q:\n%s", said, b.body)
				}
			}
			if strings.Contains(b.body, "logo") && strings.Contains(b.body, "10.0.0.1") {
				t.Error("the page loads a logo")
			}
			status, tokens := a.redeems(documentID, redirect, a.answered(b, "approve").Get("code"))
			if status != http.StatusOK || tokens["refresh_token"] == nil {
				t.Fatalf("tokens: %d %v", status, tokens)
			}
			if got := a.calls("/", tokens["access_token"].(string)); got != http.StatusOK {
				t.Errorf("a call is answered %d", got)
			}
			if status, again := a.post("token", "application/x-www-form-urlencoded", url.Values{
				"grant_type": {"refresh_token"}, "client_id": {documentID}, "refresh_token": {tokens["refresh_token"].(string)},
			}.Encode()); status != http.StatusOK {
				t.Errorf("refresh: %d %v", status, again)
			}
			if p.fetched.Load() != 1 {
				t.Errorf("the document was fetched %d times", p.fetched.Load())
			}
			if to := a.sent(b, a.authorizeURL(documentID, redirect, nil)); to == nil || to.Query().Get("code") == "" {
				t.Errorf("who has consented is asked again:\n%s", b.body)
			}
			// It says something else now, and once more while the question is open.
			p.says(redirect, "https://elsewhere.test/callback")
			a.clock.advance(2 * time.Minute)
			b.get(a.authorizeURL(documentID, redirect, nil)).want(http.StatusOK, "asks for access")
			p.says(redirect, "https://nowhere.test/callback")
			a.clock.advance(2 * time.Minute)
			b.submit(url.Values{"decision": {"approve"}}).want(http.StatusOK, "asks for access")
			a.answered(b, "approve")
			if to := a.sent(b, a.authorizeURL(documentID, redirect, nil)); to == nil || to.Query().Get("code") == "" {
				t.Errorf("who has consented to what it says now is asked again:\n%s", b.body)
			}
			b.get(a.endpoint("")).want(http.StatusOK, "Agents that you let in")
			if strings.Contains(b.body, "document ") {
				t.Errorf("the page names a digest:\n%s", b.body)
			}
		})
	}
}

// What a document does not say is not believed, whoever asks, and is told on our page.
func TestDocuments_AreHeldToWhatTheySay(t *testing.T) {
	a, p := newDocumented(t, true, "agent.test")
	b := newBrowser(t)
	b.get(a.portalURL() + "/authorize?" + url.Values{"client_id": {"x"}}.Encode())
	for name, c := range map[string]struct{ id, redirect string }{
		"an address that is not in it": {documentID, "https://evil.test/callback"},
		"a part of one":                {documentID, "https://agent.test/callback/x"},
	} {
		b = newBrowser(t)
		b.get(a.authorizeURL(c.id, c.redirect, nil)).signIn("alice", "wonderland").want(http.StatusBadRequest, "can&#39;t be let in")
		if host := b.last.Request.URL.Host; !strings.HasPrefix(host, "portal.test") {
			t.Errorf("%s: the browser is at %s", name, host)
		}
	}
	before := p.fetched.Load()
	for name, c := range map[string]struct{ id, redirect string }{
		"in capitals":      {"https://AGENT.test/oauth/client.json", "https://agent.test/callback"},
		"a dot segment":    {"https://agent.test/oauth/./client.json", "https://agent.test/callback"},
		"a hidden one":     {"https://agent.test/x/%2e%2e/oauth/client.json", "https://agent.test/callback"},
		"another host":     {"https://other.test/client.json", "https://agent.test/callback"},
		"a host inside":    {"https://169.254.169.254/latest/meta-data", "https://agent.test/callback"},
		"a loopback":       {"https://[::1]/client.json", "https://agent.test/callback"},
		"plain http":       {"http://agent.test/oauth/client.json", "https://agent.test/callback"},
		"a fragment":       {documentID + "#x", "https://agent.test/callback"},
		"a script":         {documentID, "javascript:alert(1)"},
		"an own address":   {documentID, a.siteURL("app") + "/.gatehouse/callback"},
		"the portal's own": {documentID, a.portalURL() + "/callback/local"},
	} {
		if to := a.sent(b, a.authorizeURL(c.id, c.redirect, nil)); to != nil {
			t.Errorf("%s: the browser is sent to %s", name, to)
		}
		// Of a host that is listed, and in another spelling, the document says another id.
		if b.last.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d\n%s", name, b.last.StatusCode, b.body)
		}
	}
	if n := p.fetched.Load() - before; n > 1 {
		t.Errorf("%d documents were fetched for them", n)
	}
}

// A person who is signed in has us fetch no more than some.
func TestDocuments_OnePersonIsBounded(t *testing.T) {
	a, p := newDocumented(t, false)
	b := newBrowser(t)
	b.get(a.authorizeURL(documentID, "https://agent.test/callback", nil)).signIn("alice", "wonderland")
	for n := range 100 {
		b.get(a.authorizeURL(fmt.Sprintf("https://agent.test/%d", n), "https://agent.test/callback", nil))
	}
	if got := p.fetched.Load(); got != 60 {
		t.Errorf("%d documents were fetched, want 60", got)
	}
	b.want(http.StatusServiceUnavailable, "try again in a few minutes")
}
