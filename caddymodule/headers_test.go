package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// upstreamOf has a request pass a site's guard, and returns what the application
// receives.
func (r *running) upstreamOf(t *testing.T, req *http.Request) (http.Header, int) {
	t.Helper()
	got := r.do(req)
	var h http.Header
	if got.Code == http.StatusOK {
		if err := json.Unmarshal(got.Body.Bytes(), &h); err != nil {
			t.Fatalf("%v in %s", err, got.Body)
		}
	}
	return h, got.Code
}

// serveHeaders serves a site whose application answers with the headers that it
// receives.
func serveHeaders(t *testing.T, lines, guard string) *running {
	t.Helper()
	app := echoHeaders(t)
	return serve(t, ssoWithClaims+lines, "http://app.example.com {\n\tgatehouse /in/* {\n"+guard+"\n\t}\n\treverse_proxy "+app+"\n}\n"+
		"http://other.example.com {\n\tgatehouse\n\treverse_proxy "+app+"\n}")
}

func TestHeaders_OfASite(t *testing.T) {
	type obj = map[string]any
	who := withClaims(obj{"department": "physics", "level": 7.0, "site": []any{"cern", "a;b", "ü"}, "address": obj{"city": "Zürich"}})
	groups := func(c *identity.Claims) { who(c); c.Groups = []string{"staff", "a;b", "ü,x"} }
	for _, tt := range []struct {
		name, lines, guard string
		want               http.Header
		code               int
	}{
		{"claims", "", "headers {\n\tclaim department X-Department\n\tclaim level X-Level\n\tclaim site X-Site\n\tclaim address X-Address\n}", http.Header{
			"X-Department": {"physics"}, "X-Level": {"7"}, "X-Site": {"cern,a;b,%C3%BC"}, "X-Address": {`{"city":"Z\u00fcrich"}`}, "Remote-Groups": {"staff,a;b,%C3%BC%2Cx"},
		}, 200},
		{"by default", "headers {\n\tclaim department X-Department\n\tuser X-User\n}\n", "", http.Header{"X-Department": {"physics"}, "X-User": {"bob@example.com"}, "Remote-User": nil}, 200},
		{"of a site over the default", "headers {\n\tclaim department X-Department\n\tuser X-User\n}\n", "headers {\n\tclaim level X-Level\n\tuser Remote-User\n}", http.Header{
			"X-Department": {"physics"}, "X-Level": {"7"}, "Remote-User": {"bob@example.com"}, "X-User": nil,
		}, 200},
		{"another separator", "", "headers {\n\tgroups X-Groups as separated \";\"\n}", http.Header{"X-Groups": {"staff;a%3Bb;%C3%BC,x"}}, 200},
		{"a separator in a group", "", "headers {\n\tgroups X-Groups as separated \";\" refuse\n}", nil, 403},
		{"no separator in a group", "", "headers {\n\tgroups X-Groups as separated | refuse\n}", http.Header{"X-Groups": {"staff|a;b|%C3%BC,x"}}, 200},
		{"JSON", "", "headers {\n\tgroups X-Groups as json\n\tclaim site X-Site\n}", http.Header{"X-Groups": {`["staff","a;b","\u00fc,x"]`}, "X-Site": {`["cern","a;b","\u00fc"]`}}, 200},
		{"one header each", "", "headers {\n\tgroups X-Groups as repeated\n}", http.Header{"X-Groups": {"staff", "a;b", "%C3%BC,x"}}, 200},
		{"off", "", "headers {\n\tgroups off\n}", http.Header{"Remote-Groups": nil, "Remote-User": {"bob@example.com"}}, 200},
		{"Basic", "", "headers {\n\tbasic_auth {env.GATEHOUSE_TEST_ROBOT}\n}", http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("bob@example.com:"+robotSecret))}}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
			r := serveHeaders(t, tt.lines, tt.guard)
			cookie := r.signIn("app.example.com", groups)
			got, code := r.upstreamOf(t, get("http://app.example.com/in/", cookie))
			if code != tt.code {
				t.Fatalf("%d", code)
			}
			for name, want := range tt.want {
				if diff := cmp.Diff(want, got[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

// TestHeaders_AreStripped: what is configured is never the client's, in no spelling, on
// no path that the guard sees, and on no other site than where it is configured.
func TestHeaders_AreStripped(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	r := serveHeaders(t, "", "headers {\n\tclaim department X-Department\n\tassertion X-Assertion\n\tbasic_auth {env.GATEHOUSE_TEST_ROBOT}\n}")
	cookie := r.signIn("app.example.com", withClaims(nil))
	for _, path := range []string{"/in/", "/open"} {
		for _, name := range []string{"X-Department", "x-department", "X_Department", "X.department", "X-Assertion", "X_ASSERTION", "Authorization", "authorization", "Remote_User"} {
			req := get("http://app.example.com"+path, cookie)
			req.Header[name] = []string{"forged"}
			got, code := r.upstreamOf(t, req)
			if code != http.StatusOK || strings.Contains(strings.Join(flat(got), " "), "forged") {
				t.Errorf("%s with %s: %d %v", path, name, code, got)
			}
		}
	}
	req := get("http://other.example.com/", r.signIn("other.example.com", withClaims(nil)))
	req.Header["X-Department"] = []string{"the client's own"}
	if got, _ := r.upstreamOf(t, req); got.Get("X-Department") == "" {
		t.Error("a header of another site is taken away")
	}
}

// echoHeaders is an application that answers with the headers that it receives. It
// returns its address.
func echoHeaders(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Header)
	}))
	t.Cleanup(app.Close)
	return app.Listener.Addr().String()
}

// keyOf finds keys in a JWKS.
func keyOf(t *testing.T, jwks []byte) jwt.Keyfunc {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatalf("%v in %s", err, jwks)
	}
	return func(token *jwt.Token) (any, error) {
		id, _ := token.Header["kid"].(string)
		for _, key := range set.Key(id) {
			return key.Key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}
}

func flat(h http.Header) (all []string) {
	for _, values := range h {
		all = append(all, values...)
	}
	return all
}

// TestHeaders_Basic_NeedsAName: a name with a colon would be another's, RFC 7617,
// section 2.
func TestHeaders_Basic_NeedsAName(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	r := serveHeaders(t, "", "headers {\n\tbasic_auth {env.GATEHOUSE_TEST_ROBOT}\n}")
	cookie := r.signIn("app.example.com", ofSSO(func(c *identity.Claims) { c.User, c.Email = "sso:1", "" }))
	if _, code := r.upstreamOf(t, get("http://app.example.com/in/", cookie)); code != http.StatusForbidden {
		t.Errorf("a name with a colon: %d", code)
	}
}

// TestHeaders_Assertion: the application gets a statement that it can verify by the
// published keys, that is for it alone, and that is no token of ours.
func TestHeaders_Assertion(t *testing.T) {
	r := serveHeaders(t, "", "headers {\n\tassertion X-Assertion\n\tclaim department X-Department\n}")
	cookie := r.signIn("app.example.com", withClaims(map[string]any{"department": "physics", "level": 7.0}))
	got, code := r.upstreamOf(t, get("http://app.example.com/in/", cookie))
	raw := got.Get("X-Assertion")
	if code != http.StatusOK || raw == "" {
		t.Fatalf("%d %v", code, got)
	}
	keys := r.do(get("http://app.example.com/.gatehouse/jwks.json"))
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(raw, claims, keyOf(t, keys.Body.Bytes()), jwt.WithAudience("http://app.example.com"), jwt.WithIssuer("http://app.example.com/.gatehouse"), jwt.WithExpirationRequired()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"preferred_username": "bob@example.com", "email": "bob@example.com", "department": "physics", "provider": "sso", "level": nil} {
		if diff := cmp.Diff(want, claims[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || time.Until(expires.Time) > time.Minute {
		t.Errorf("it expires at %v (%v)", expires, err)
	}
	again, _ := r.upstreamOf(t, get("http://app.example.com/in/", cookie))
	if again.Get("X-Assertion") != raw {
		t.Error("it is signed anew for each request")
	}
	program := get("http://app.example.com/in/")
	program.Header.Set("Authorization", "Bearer "+raw)
	if _, code := r.upstreamOf(t, program); code != http.StatusUnauthorized {
		t.Errorf("it passes for an access token: %d", code)
	}
	open, _ := r.upstreamOf(t, get("http://app.example.com/open", cookie))
	if open.Get("X-Assertion") != "" {
		t.Error("somebody whom the guard did not let in is vouched for")
	}
}

// An application that is promised an assertion gets no request without one, and nobody is
// signed out while the keys are away.
func TestHeaders_Assertion_WithoutKey(t *testing.T) {
	r := serveHeaders(t, "", "headers {\n\tassertion X-Assertion\n}")
	cookie := r.signIn("app.example.com", withClaims(nil))
	var log strings.Builder
	r.app.logger = slog.New(slog.NewTextHandler(&log, nil))
	gateway := r.app.running(t.Context())
	keys := gateway.Keys
	gateway.Keys = nil
	got := r.do(get("http://app.example.com/in/", cookie))
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || len(got.Result().Cookies()) > 0 || strings.Contains(got.Body.String(), "X-Forwarded") {
		t.Errorf("%d %v %s", got.Code, got.Header(), got.Body)
	}
	if !strings.Contains(log.String(), "level=ERROR msg=\"an assertion cannot be signed\" host=app.example.com") {
		t.Errorf("the log says %s", log.String())
	}
	gateway.Keys = keys
	if got, code := r.upstreamOf(t, get("http://app.example.com/in/", cookie)); code != http.StatusOK || got.Get("X-Assertion") == "" {
		t.Errorf("with the keys again: %d %v", code, got)
	}
}

// TestHeaders_Faults: what cannot be is refused when it is loaded.
func TestHeaders_Faults(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	site := func(guards string) string { return "http://app.example.com {\n" + guards + "\n}" }
	for name, tt := range map[string]struct{ sites, want string }{
		"a claim that nobody keeps":   {site("gatehouse {\n\theaders {\n\t\tclaim team X-Team\n\t}\n}"), "headers: claim team X-Team: provider sso keeps no claim team"},
		"two guards that differ":      {site("gatehouse /a/* {\n\theaders {\n\t\tuser X-A\n\t}\n}\ngatehouse /b/* {\n\theaders {\n\t\tuser X-B\n\t}\n}"), "the guards of app.example.com say different headers"},
		"one header in two spellings": {site("gatehouse {\n\theaders {\n\t\tuser X-Who\n\t\tclaim department X_Who\n\t}\n}"), "X_Who is used twice, maybe in another spelling"},
	} {
		_, err := start(t, config(t, t.TempDir(), ssoWithClaims, tt.sites))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	// Guards that say the same, or nothing, are of one mind.
	r, err := start(t, config(t, t.TempDir(), ssoWithClaims, site("gatehouse /a/* {\n\theaders {\n\t\tuser X-A\n\t}\n}\ngatehouse /b/*")))
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	for _, g := range r.app.guards {
		if g.headers.names[0] != "X-A" {
			t.Errorf("a guard of the site has the header %s", g.headers.names[0])
		}
	}
}
