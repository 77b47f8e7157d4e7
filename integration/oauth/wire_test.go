package oauth_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/oauth2"
)

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) text(name string) string { s, _ := a.json[name].(string); return s }

// want checks that an answer is the given OAuth error and tells no more.
func (a answer) want(t *testing.T, what string, status int, code string) {
	t.Helper()
	if a.status != status || a.text("error") != code {
		t.Errorf("%s: %d %s, want %d %s", what, a.status, a.body, status, code)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control is %q", what, a.header.Get("Cache-Control"))
	}
	if a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s: 401 without a challenge", what)
	}
	for name := range a.json {
		if name != "error" && name != "error_description" {
			t.Errorf("%s: the error holds %q", what, name)
		}
	}
}

// send sends a request as it is, with the given headers ("Name: value").
func (w *world) send(t *testing.T, method, address, body string, headers ...string) answer {
	t.Helper()
	resp, err := w.roundTrip(t, method, address, body, headers)
	// When a configuration is loaded, Caddy closes its former listener with the
	// connections that wait in that one's queue.
	for range 3 {
		if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			break
		}
		resp, err = w.roundTrip(t, method, address, body, headers)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json)
	if a.status >= http.StatusInternalServerError {
		t.Errorf("%s %s answers %d %s", method, address, a.status, text)
	}
	return a
}

func (w *world) roundTrip(t *testing.T, method, address, body string, headers []string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return w.raw.RoundTrip(r)
}

// post sends a form to an endpoint of the issuer.
func (w *world) post(t *testing.T, endpoint string, form url.Values, headers ...string) answer {
	t.Helper()
	return w.send(t, http.MethodPost, w.issuer+"/"+endpoint, form.Encode(),
		append([]string{"Content-Type: application/x-www-form-urlencoded"}, headers...)...)
}

// basic is the header of client_secret_basic.
func basic(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return "Authorization: " + r.Header.Get("Authorization")
}

const (
	callback = "http://127.0.0.1:4711/callback"
	verifier = "a-verifier-of-more-than-forty-three-characters-123"
)

// authorization is the query of an authorization request that is in order.
func authorization(client string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callback}, "scope": {"openid offline_access"},
		"state": {"s t/~=&"}, "nonce": {"n-1"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
}

// redemption is the form that redeems a code of such a request.
func redemption(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

// code lets somebody answer an authorization request, and returns its code.
func (p *person) code(query url.Values) string {
	p.t.Helper()
	to := p.redirected(p.w.issuer + "/authorize?" + query.Encode())
	if to.Query().Get("code") == "" || to.Query().Get("state") != query.Get("state") || to.Query().Get("iss") != p.w.issuer {
		p.t.Fatalf("no code, another state or another iss: %s", to)
	}
	return to.Query().Get("code")
}

// tokens gets tokens for somebody at the client "web".
func (p *person) tokens(query url.Values) answer {
	p.t.Helper()
	got := p.w.post(p.t, "token", redemption(p.code(query)), basic("web", webSecret))
	if got.status != http.StatusOK {
		p.t.Fatalf("redeeming answers %d %s", got.status, got.body)
	}
	return got
}

// change returns a copy of a form with one change.
func change(form url.Values, edit func(url.Values)) url.Values {
	changed := url.Values{}
	for name, values := range form {
		changed[name] = append([]string(nil), values...)
	}
	edit(changed)
	return changed
}
