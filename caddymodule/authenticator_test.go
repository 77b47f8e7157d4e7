package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const apiClient = "issuer http://auth.example.com\nclient robot {\n\tsecret {env.GATEHOUSE_TEST_ROBOT}\n\tgrants client_credentials\n" +
	"\tresources http://api.example.com http://other.example.com\n}\n"

const robotSecret = "a-secret-of-the-robot-in-tests"

// serveAPI is a site behind Caddy's own `authentication` handler with this
// module's provider, and one more that it does not know.
func serveAPI(t *testing.T) *running {
	t.Helper()
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	raw := config(t, t.TempDir(), aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n}\n"+
		"http://api.example.com, http://other.example.com {\n\tbasic_auth {\n\t\tx "+cheapHash+"\n\t}\n"+
		echo+"\theader >Client {http.auth.user.client_id}\n}")
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	if n := replaceProviders(tree, map[string]any{"gatehouse": map[string]any{"hosts": []string{"api.example.com"}}}); n != 1 {
		t.Fatalf("%d authentication handlers", n)
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	r, err := start(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	return r
}

// replaceProviders gives every authentication handler other providers, and
// counts them.
func replaceProviders(node any, providers map[string]any) (n int) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			n += replaceProviders(v, providers)
		}
	case map[string]any:
		if node["handler"] == "authentication" {
			node["providers"] = providers
			return 1
		}
		for _, v := range node {
			n += replaceProviders(v, providers)
		}
	}
	return n
}

// post sends a form to the portal as the robot, with proofs of a key.
func (r *running) post(path string, form url.Values, proofs ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "http://auth.example.com"+path, strings.NewReader(form.Encode()))
	req.RequestURI = path
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("robot", robotSecret)
	if len(proofs) > 0 {
		req.Header["Dpop"] = proofs
	}
	return r.do(req)
}

// token is an access token for a resource, bound to a key if there is a proof of
// it.
func (r *running) token(resource string, proofs ...string) string {
	r.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	rec := r.post("/token", form, proofs...)
	for end := time.Now().Add(time.Minute); rec.Code == http.StatusServiceUnavailable && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // the store and its keys are being made
		rec = r.post("/token", form, proofs...)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.AccessToken == "" {
		r.t.Fatalf("no token: %d %s", rec.Code, rec.Body)
	}
	return answer.AccessToken
}

func TestAuthenticator_TakesAccessTokensForItsHostAlone(t *testing.T) {
	r := serveAPI(t)
	good, foreign := r.token("http://api.example.com"), r.token("http://other.example.com")
	tests := map[string]struct {
		host          string
		authorization []string
		want          int
		challenge     string
	}{
		"none":               {"api.example.com", nil, 401, "Bearer"},
		"good":               {"api.example.com", []string{"Bearer " + good}, 200, ""},
		"scheme in capitals": {"api.example.com", []string{"BEARER " + good}, 200, ""},
		"host in capitals":   {"API.example.com", []string{"Bearer " + good}, 200, ""},
		"another scheme":     {"api.example.com", []string{"Bearerx " + good}, 401, `Bearer error="invalid_token"`},
		"Basic":              {"api.example.com", []string{"Basic eDp3b25kZXJsYW5k"}, 401, `Bearer error="invalid_token"`},
		"garbage":            {"api.example.com", []string{"Bearer e30.e30.e30"}, 401, `Bearer error="invalid_token"`},
		"cut short":          {"api.example.com", []string{"Bearer " + good[:len(good)-2]}, 401, `Bearer error="invalid_token"`},
		"twice":              {"api.example.com", []string{"Bearer " + good, "Bearer " + good}, 401, `Bearer error="invalid_token"`},
		"of another host":    {"api.example.com", []string{"Bearer " + foreign}, 401, `Bearer error="invalid_token"`},
		"at another host":    {"other.example.com", []string{"Bearer " + foreign}, 401, "Bearer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := navigation("http://" + tt.host + "/")
			req.Header["Authorization"] = tt.authorization
			rec := r.do(req)
			wantStatus(t, rec, tt.want)
			if got := rec.Header().Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("WWW-Authenticate is %q, want %q", got, tt.challenge)
			}
			body := rec.Body.String()
			if tt.want != http.StatusOK {
				return
			}
			if strings.Contains(body, "Authorization") || !strings.Contains(body, "id=client:robot ") {
				t.Errorf("the upstream sees\n%s", body)
			}
			if got := rec.Header().Get("Client"); got != "robot" {
				t.Errorf("the placeholder of the client is %q", got)
			}
		})
	}
}

// dpopProof is a proof of RFC 9449 for one request, with an access token at a
// resource.
func dpopProof(t *testing.T, key *ecdsa.PrivateKey, method, uri, access string) string {
	t.Helper()
	claims := jwt.MapClaims{"htm": method, "htu": uri, "iat": time.Now().Unix(), "jti": rand.Text()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["typ"], token.Header["jwk"] = "dpop+jwt", jose.JSONWebKey{Key: key.Public()}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestAuthenticator_WantsTheKeyThatATokenIsBoundTo(t *testing.T) {
	r := serveAPI(t)
	r.token("http://api.example.com") // once there is one, the proof need not wait
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := r.token("http://api.example.com", dpopProof(t, key, http.MethodPost, "http://auth.example.com/token", ""))
	const uri = "http://api.example.com/x"
	for name, tt := range map[string]struct {
		scheme string
		proof  []string
		want   int
	}{
		"its key":       {"DPoP", []string{dpopProof(t, key, http.MethodGet, uri, token)}, 200},
		"another key":   {"DPoP", []string{dpopProof(t, other, http.MethodGet, uri, token)}, 401},
		"another place": {"DPoP", []string{dpopProof(t, key, http.MethodGet, "http://api.example.com/y", token)}, 401},
		"no proof":      {"DPoP", nil, 401},
		"as Bearer":     {"Bearer", nil, 401},
	} {
		req := get(uri)
		req.Header["Authorization"], req.Header["Dpop"] = []string{tt.scheme + " " + token}, tt.proof
		rec := r.do(req)
		if rec.Code != tt.want {
			t.Errorf("%s: status %d, want %d", name, rec.Code, tt.want)
		}
		challenges := rec.Header().Values("WWW-Authenticate")
		if tt.want == http.StatusOK {
			continue
		}
		if len(challenges) != 2 || !strings.HasPrefix(challenges[1], `DPoP algs="ES256 `) {
			t.Fatalf("%s: challenges %q", name, challenges)
		}
		for _, c := range challenges {
			if says := strings.Contains(c, `error="invalid_token"`); says != strings.HasPrefix(c, tt.scheme) {
				t.Errorf("%s: %s", name, c)
			}
		}
	}
}

// A guard that the request does not concern hides the proof with the token; the
// next one needs both.
func TestGuard_FindsTheProofThatAnEarlierGuardHid(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	r := serve(t, aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n}\n"+
		"http://api.example.com {\n\tgatehouse /admin/*\n\tgatehouse /x\n"+echo+"}")
	r.token("http://api.example.com") // once there is one, the proof need not wait
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := r.token("http://api.example.com", dpopProof(t, key, http.MethodPost, "http://auth.example.com/token", ""))
	const uri = "http://api.example.com/x"
	req := get(uri)
	req.Header["Authorization"], req.Header["Dpop"] = []string{"DPoP " + token}, []string{dpopProof(t, key, http.MethodGet, uri, token)}
	rec := r.do(req)
	wantStatus(t, rec, http.StatusOK)
	if upstream := rec.Body.String(); strings.Contains(upstream, "Authorization") || strings.Contains(upstream, "Dpop") {
		t.Errorf("the token or its proof goes upstream: %s", upstream)
	}
}

func TestAuthenticator_ReadsNoCookie(t *testing.T) {
	r := serveAPI(t)
	rec := r.do(navigation("http://api.example.com/", r.signIn("api.example.com", nil)))
	wantStatus(t, rec, http.StatusUnauthorized)
}

func TestAuthenticator_RefusesWhatWasRevoked(t *testing.T) {
	r := serveAPI(t)
	token := r.token("http://api.example.com")
	req := get("http://api.example.com/")
	req.Header.Set("Authorization", "Bearer "+token)
	wantStatus(t, r.do(req), http.StatusOK)
	wantStatus(t, r.post("/revoke", url.Values{"token": {token}}), http.StatusOK)
	req = get("http://api.example.com/")
	req.Header.Set("Authorization", "Bearer "+token)
	wantStatus(t, r.do(req), http.StatusUnauthorized)
}

func TestAuthenticator_NeedsItsHosts(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	raw := config(t, t.TempDir(), aliceLocal+apiClient, "http://api.example.com {\n\tbasic_auth {\n\t\tx "+cheapHash+"\n\t}\n}")
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	replaceProviders(tree, map[string]any{"gatehouse": map[string]any{}})
	raw, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provision(t, raw); err == nil || !strings.Contains(err.Error(), "hosts is required") {
		t.Errorf("error is %v", err)
	}
}
