package device_test

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

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// program is a client of the device flow, on a device.
type program struct {
	t      *testing.T
	id     string // client id
	issuer string
	node   *gateway.Node
	client *http.Client
}

// flow is one that was started.
type flow struct {
	deviceCode, userCode, complete string
	interval                       time.Duration
}

// answer of an endpoint.
type answer struct {
	status int
	header http.Header
	fields map[string]any
}

func (a answer) text(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

// program runs at an address of this machine, 127.0.0.x, and asks a node.
func (w *world) program(t *testing.T, node int, address, client string) *program {
	t.Helper()
	n := w.nodes[node]
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, n.Route(to))
		},
		MaxIdleConnsPerHost: 64,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &program{
		t: t, id: client, issuer: w.issuer, node: n,
		client: &http.Client{Transport: transport, Timeout: 30 * time.Second},
	}
}

// post sends a form with the client's id. An answer that is no JSON fails the
// test: whatever is wrong, a program gets an error that it can read.
func (p *program) post(endpoint string, form url.Values) answer {
	p.t.Helper()
	form.Set("client_id", p.id)
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.issuer+"/"+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Error(err)
		return answer{}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Error(err)
		return answer{}
	}
	defer func() { _ = resp.Body.Close() }()
	a := answer{status: resp.StatusCode, header: resp.Header}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &a.fields)
	}
	if err != nil {
		p.t.Errorf("%s answers %d: %v: %s", endpoint, resp.StatusCode, err, body)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		p.t.Errorf("%s may be cached: %q", endpoint, got)
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token", "device_code"} {
		p.node.Secrets.Learn(name, a.text(name))
	}
	return a
}

// begin starts a flow.
func (p *program) begin(more ...string) flow {
	p.t.Helper()
	form := url.Values{"scope": {"openid"}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	a := p.post("device_authorization", form)
	seconds, _ := a.fields["interval"].(float64)
	f := flow{
		deviceCode: a.text("device_code"), userCode: a.text("user_code"),
		complete: a.text("verification_uri_complete"), interval: time.Duration(seconds) * time.Second,
	}
	if a.status != http.StatusOK || f.deviceCode == "" || f.userCode == "" || f.complete == "" || f.interval == 0 {
		p.t.Errorf("starting answers %d %v", a.status, a.fields)
	}
	return f
}

// poll asks for a flow's tokens.
func (p *program) poll(f flow, more ...string) answer {
	p.t.Helper()
	form := url.Values{"grant_type": {grantDevice}, "device_code": {f.deviceCode}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return p.post("token", form)
}

// want checks an answer's error.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.text("error") != code {
		t.Errorf("answered %d %v, want %d %s", a.status, a.fields, status, code)
	}
}
