package upgrade_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// program talks to one node as applications do.
type program struct {
	t      *testing.T
	client *http.Client
	learn  func(what, value string)
}

func newProgram(t *testing.T, n *gateway.Node) program {
	t.Helper()
	// A reload closes idle connections, and a POST on one of them is not repeated.
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, n.Route(address))
	}}
	return program{t, &http.Client{Transport: transport, Timeout: 30 * time.Second}, n.Secrets.Learn}
}

// tokens are an endpoint's answer.
type tokens struct {
	status   int
	Access   string `json:"access_token"`
	Refresh  string `json:"refresh_token"`
	ID       string `json:"id_token"`
	Error    string `json:"error"`
	Active   bool   `json:"active"`
	Username string `json:"username"`

	DeviceCode string `json:"device_code"`
	Complete   string `json:"verification_uri_complete"`
	Interval   int    `json:"interval"`
}

// post sends a form as a client, with its secret or, where that is empty, its id.
func (p program) post(endpoint, client, secret string, form url.Values) (a tokens) {
	p.t.Helper()
	if secret == "" {
		form.Set("client_id", client)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, portal+"/"+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	}
	body := p.do(r, &a.status)
	_ = json.Unmarshal(body, &a) // a revocation answers nothing
	p.learn("access token", a.Access)
	p.learn("refresh token", a.Refresh)
	p.learn("ID token", a.ID)
	p.learn("device code", a.DeviceCode)
	return a
}

// opens reports whether an access token opens the guarded site.
func (p program) opens(access string) bool {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, app+"/", http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	status := 0
	p.do(r, &status)
	return status == http.StatusOK
}

func (p program) get(address string) []byte {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	status := 0
	return p.do(r, &status)
}

func (p program) do(r *http.Request, status *int) []byte {
	p.t.Helper()
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	*status = resp.StatusCode
	return body
}

func (p program) redeem(code string) tokens {
	p.t.Helper()
	return p.post("token", "wiki", wikiSecret, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {wikiCallback}, "code_verifier": {verifier},
	})
}

func (p program) refresh(client, secret, token string) tokens {
	p.t.Helper()
	return p.post("token", client, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// startDevice starts a device flow of the client cli.
func (p program) startDevice() tokens {
	p.t.Helper()
	flow := p.post("device_authorization", "cli", "", url.Values{"scope": {"openid profile offline_access"}})
	if flow.Complete == "" {
		p.t.Fatalf("starting a device flow answers %d %s", flow.status, flow.Error)
	}
	return flow
}

// awaitDevice polls, as a device does, until the flow is decided.
func (p program) awaitDevice(flow tokens) tokens {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Duration(flow.Interval) * time.Second) {
		a := p.post("token", "cli", "", url.Values{"grant_type": {grantDevice}, "device_code": {flow.DeviceCode}})
		switch a.Error {
		case "slow_down": // RFC 8628, section 3.5
			flow.Interval += 5
		case "authorization_pending":
		default:
			return a
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the device still gets %s", a.Error)
		}
	}
}

// approve approves a device flow in a browser that is signed in at the portal.
func approve(t *testing.T, b *browser.Browser, flow tokens) {
	t.Helper()
	page := b.Open(flow.Complete)
	page = b.Submit(page, b.Find(page, "request"), map[string]string{"decision": "approve"})
	wantOK(t, page)
}
