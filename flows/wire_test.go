package flows_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// said is an answer to the byte.
type said struct {
	answer
	text string
}

// form is what send types a form with.
const formType = "Content-Type: application/x-www-form-urlencoded"

// send sends a request as it is, with the given headers ("Name: value"), and
// follows no redirect. Nothing that a client sends is a 5xx.
func (w *world) send(method, address, body string, headers ...string) said {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Add(name, value)
	}
	if w.wire == nil {
		w.wire = newBrowser(w.t).held()
		w.wire.Jar = nil
	}
	resp, err := w.wire.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	got := said{answer{status: resp.StatusCode, header: resp.Header, body: map[string]any{}}, string(text)}
	_ = json.Unmarshal(text, &got.body)
	if got.status >= http.StatusInternalServerError {
		w.t.Errorf("%s %s answers %d %s", method, address, got.status, text)
	}
	return got
}

// call posts a form to an endpoint of the portal.
func (w *world) call(endpoint string, form url.Values, headers ...string) said {
	w.t.Helper()
	return w.send(http.MethodPost, w.portalURL()+"/"+endpoint, form.Encode(), append([]string{formType}, headers...)...)
}

// refused checks that an answer is that error and tells nothing beyond it.
func (s said) refused(t *testing.T, what string, status int, code string) {
	t.Helper()
	if s.status != status || s.body["error"] != code {
		t.Errorf("%s: %d %s, want %d %s", what, s.status, s.text, status, code)
	}
	if s.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(s.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s: headers %v", what, s.header)
	}
	if status == http.StatusUnauthorized && s.header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s: 401 without a challenge", what)
	}
	if description, _ := s.body["error_description"].(string); !describes(description) {
		t.Errorf("%s: description %q", what, description)
	}
	for name := range s.body {
		if name != "error" && name != "error_description" {
			t.Errorf("%s: the error holds %q", what, name)
		}
	}
}

// describes reports whether a text may be an error_description (RFC 6749, section
// 5.2).
// reference is what names a refusal, for people to tell.
var reference = regexp.MustCompile(` \(reference [a-z2-7]{16}\)`)

func withoutReference(s string) string { return reference.ReplaceAllString(s, "") }

func describes(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' })
}

// basic is the header of client_secret_basic for one of oauthClients.
func basic(id string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+id+"-secret-of-enough-length"))
}

// with is a copy of values, changed.
func with(values url.Values, change func(url.Values)) url.Values {
	c := cloneValues(values)
	if change != nil {
		change(c)
	}
	return c
}

func set(name string, values ...string) func(url.Values) {
	return func(v url.Values) { v[name] = values }
}

func drop(names ...string) func(url.Values) {
	return func(v url.Values) {
		for _, name := range names {
			v.Del(name)
		}
	}
}

// claimsOf reads a JWT without judging it.
func claimsOf(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", raw)
	}
	for i, to := range []*map[string]any{&header, &claims} {
		part, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(part, to); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// tokens are those of a fresh code of the client web.
func (w *world) tokens(b *browser, change func(url.Values)) said {
	w.t.Helper()
	params := with(authorizeParams("web", "https://web.test/cb", "openid offline_access"), change)
	got := w.call("token", redeem(w.code(b, params)), basic("web"))
	if got.status != http.StatusOK {
		w.t.Fatalf("%d %s", got.status, got.text)
	}
	return got
}
