package flows_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
)

// agents is a world in which clients may register themselves for the site app.
type agents struct {
	*world
	issuer string
}

func newAgents(t *testing.T, portal bool, more func(*flows.Registration)) agents {
	t.Helper()
	a := agents{world: newWorld(t, worldOptions{portal: portal})}
	a.issuer = a.siteURL("app") + "/.gatehouse"
	if portal {
		a.issuer = a.portalURL()
	}
	config := a.gateway.Config
	config.Registration = flows.Registration{Dynamic: true, Open: []flows.OpenResource{{
		Origin: a.siteURL("app"), Scopes: []string{"files:read", "files:write"}, ProviderTokens: []string{"local"},
	}}}
	if more != nil {
		more(&config.Registration)
	}
	var err error
	if a.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	a.open = &guard.SelfRegistered{Scopes: []string{"files:read", "files:write"}}
	return a
}

// endpoint is one of the issuer's.
func (a agents) endpoint(name string) string { return a.issuer + "/" + name }

// post sends a body to an endpoint as a program does, and reads the JSON of the answer.
func (a agents) post(endpoint, contentType, body string) (status int, answer map[string]any) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.endpoint(endpoint), strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := newBrowser(a.t).Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		a.t.Fatalf("%s answers %d: %s", endpoint, resp.StatusCode, raw)
	}
	return resp.StatusCode, answer
}

// registers a client and returns its id.
func (a agents) registers(metadata string) string {
	a.t.Helper()
	status, answer := a.post("register", "application/json", metadata)
	if status != http.StatusCreated {
		a.t.Fatalf("registering: %d %v", status, answer)
	}
	return answer["client_id"].(string)
}

const agentVerifier = "a-verifier-of-at-least-forty-three-characters"

// authorizeURL is what a client sends a browser to.
func (a agents) authorizeURL(id, redirectURI string, more url.Values) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirectURI}, "state": {"s"},
		"code_challenge": {client.ChallengeS256(agentVerifier)}, "code_challenge_method": {"S256"},
		"resource": {a.siteURL("app") + "/"},
	}
	maps.Copy(query, more)
	return a.endpoint("authorize") + "?" + query.Encode()
}

// answered is where a browser is sent with the answer to a decision at the consent page.
func (a agents) answered(b *browser, decision string) url.Values {
	a.t.Helper()
	held := b.held()
	held.last, held.body = b.last, b.body
	held.submit(url.Values{"decision": {decision}})
	to, err := url.Parse(held.last.Header.Get("Location"))
	if err != nil || held.last.Header.Get("Location") == "" {
		a.t.Fatalf("not sent back to the client: %d\n%s", held.last.StatusCode, held.body)
	}
	return to.Query()
}

// redeems a code for tokens.
func (a agents) redeems(id, redirectURI, code string) (int, map[string]any) {
	a.t.Helper()
	return a.post("token", "application/x-www-form-urlencoded", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {id}, "redirect_uri": {redirectURI}, "code": {code}, "code_verifier": {agentVerifier},
	}.Encode())
}

// calls the site with an access token.
func (a agents) calls(path, token string) int {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.siteURL("app")+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	return newBrowser(a.t).do(req).last.StatusCode
}

const (
	nativeAgent = `{"client_name":"Agent","redirect_uris":["http://127.0.0.1/callback"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"}`
	webAgent    = `{"client_name":"Web agent","redirect_uris":["https://agent.test/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`
)

func inBothIssuers(t *testing.T, test func(*testing.T, agents)) {
	t.Helper()
	for name, portal := range map[string]bool{"single site": false, "portal": true} {
		t.Run(name, func(t *testing.T) { test(t, newAgents(t, portal, nil)) })
	}
}

// A client that nobody knew registers itself, one person lets it in, and it calls the site
// with a token for that, and refreshes it without having asked for offline_access.
func TestRegister_FromNothingToACall(t *testing.T) {
	inBothIssuers(t, func(t *testing.T, a agents) {
		id := a.registers(nativeAgent)
		if !strings.HasPrefix(id, "gtc_") || len(id) > registration.MaxID {
			t.Errorf("client_id is %q", id)
		}
		const redirect = "http://127.0.0.1:43211/callback"
		b := newBrowser(t)
		b.get(a.authorizeURL(id, redirect, url.Values{"scope": {"files:read openid profile"}}))
		b.signIn("alice", "wonderland").want(http.StatusOK, "asks for access")
		for _, said := range []string{"Agent", "127.0.0.1", "registered itself", "Any program there can pretend", "files:read", "while you&#39;re away", "Act as you at app.sites.test"} {
			if !strings.Contains(b.body, said) {
				t.Errorf("the consent page does not say %q:\n%s", said, b.body)
			}
		}
		answer := a.answered(b, "approve")
		if answer.Get("iss") != a.issuer && answer.Get("iss") != strings.TrimSuffix(a.issuer, "/") {
			t.Errorf("iss is %q", answer.Get("iss"))
		}
		status, tokens := a.redeems(id, redirect, answer.Get("code"))
		if status != http.StatusOK || tokens["refresh_token"] == nil || tokens["id_token"] != nil || tokens["scope"] != "files:read offline_access" {
			t.Fatalf("tokens: %d %v", status, tokens)
		}
		if got := a.calls("/", tokens["access_token"].(string)); got != http.StatusOK {
			t.Errorf("a call is answered %d", got)
		}
		status, again := a.post("token", "application/x-www-form-urlencoded", url.Values{
			"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {tokens["refresh_token"].(string)},
		}.Encode())
		if status != http.StatusOK || again["refresh_token"] == nil {
			t.Fatalf("refresh: %d %v", status, again)
		}
		if got := a.calls("/", again["access_token"].(string)); got != http.StatusOK {
			t.Errorf("a call after a refresh is answered %d", got)
		}
		// Where the guard does not say that such clients may come, the token opens nothing.
		a.open = nil
		if got := a.calls("/", again["access_token"].(string)); got != http.StatusUnauthorized {
			t.Errorf("a guard that lets in no such client answers %d", got)
		}
	})
}

// What is advertised is what there is.
func TestRegister_IsAdvertisedWhereItIs(t *testing.T) {
	get := func(a agents) map[string]any {
		t.Helper()
		b := newBrowser(t).get(a.endpoint(".well-known/oauth-authorization-server")).want(http.StatusOK, "{")
		var metadata map[string]any
		if err := json.Unmarshal([]byte(b.body), &metadata); err != nil {
			t.Fatal(err)
		}
		return metadata
	}
	on := newAgents(t, false, nil)
	if got := get(on); got["registration_endpoint"] != on.endpoint("register") || got["client_id_metadata_document_supported"] != nil {
		t.Errorf("metadata: %v", got)
	}
	if got := fmt.Sprint(get(on)["scopes_supported"]); !strings.Contains(got, "files:write") {
		t.Errorf("scopes_supported: %s", got)
	}
	for name, off := range map[string]func(*flows.Registration){
		"off":               func(r *flows.Registration) { r.Dynamic = false },
		"nothing to ask":    func(r *flows.Registration) { r.Open = nil },
		"at another's site": func(r *flows.Registration) { r.Open[0].Origin = "http://other.sites.test" },
	} {
		a := newAgents(t, false, off)
		if got := get(a); got["registration_endpoint"] != nil {
			t.Errorf("%s: metadata: %v", name, got)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, a.endpoint("register"), strings.NewReader(nativeAgent))
		req.Header.Set("Content-Type", "application/json")
		if newBrowser(t).do(req).last.StatusCode != http.StatusNotFound {
			t.Errorf("%s: registering is possible", name)
		}
	}
}

// The answer holds what was registered, and not what was asked for (RFC 7591, section
// 3.2.1): a client that wants a secret gets none.
func TestRegister_AnswersWithWhatWasGranted(t *testing.T) {
	a := newAgents(t, false, nil)
	status, answer := a.post("register", "application/json", `{"client_name":"\u202eevil\u0007  Agent\n","redirect_uris":["https://agent.test/cb","cursor://anysphere/cb"],
		"grant_types":["authorization_code","refresh_token","password","urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code","token"],
		"token_endpoint_auth_method":"client_secret_post","scope":"openid everything","software_statement":"x.y.z"}`)
	want := map[string]string{
		"client_name": "evil Agent", "redirect_uris": "[cursor://anysphere/cb https://agent.test/cb]", "grant_types": "[authorization_code refresh_token]",
		"response_types": "[code]", "token_endpoint_auth_method": "none", "application_type": "native",
	}
	if status != http.StatusCreated || answer["client_secret"] != nil || answer["scope"] != nil {
		t.Errorf("%d %v", status, answer)
	}
	for name, value := range want {
		if got := fmt.Sprint(answer[name]); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

// Ten thousand registrations from one address end at a limit, and leave nothing behind.
func TestRegister_OneAddressIsBounded(t *testing.T) {
	a := newAgents(t, false, nil)
	refused := 0
	for range 300 {
		switch status, answer := a.post("register", "application/json", webAgent); status {
		case http.StatusCreated:
		case http.StatusTooManyRequests:
			if refused++; answer["error"] != "temporarily_unavailable" {
				t.Fatalf("the answer is %v", answer)
			}
		default:
			t.Fatalf("%d %v", status, answer)
		}
	}
	if refused != 200 {
		t.Errorf("%d of 300 were refused, want 200", refused)
	}
	a.clock.advance(time.Hour + time.Second)
	a.registers(webAgent)
}
