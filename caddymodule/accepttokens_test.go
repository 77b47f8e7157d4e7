package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

type object = map[string]any

// tokenIssuer publishes keys and issues tokens, and nothing else, as CI systems and
// clusters do.
type tokenIssuer struct {
	*httptest.Server
	t       *testing.T
	key     *ecdsa.PrivateKey
	fetched atomic.Int32
}

func newTokenIssuer(t *testing.T, secure bool) *tokenIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &tokenIssuer{t: t, key: key}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(o.serve))
	if secure {
		o.StartTLS()
	} else {
		o.Start()
	}
	t.Cleanup(o.Close)
	return o
}

// serve answers with the metadata that such issuers have: no endpoint for people.
func (o *tokenIssuer) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(object{
			"issuer": o.URL, "jwks_uri": o.URL + "/openid/v1/jwks", "subject_types_supported": []string{"public"},
			"response_types_supported": []string{"id_token"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	case "/openid/v1/jwks":
		o.fetched.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: o.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	default:
		http.NotFound(w, r)
	}
}

// token is one of the issuer's with these claims beside the common ones, of which "" in
// place of a value removes one.
func (o *tokenIssuer) token(header, claims object) string {
	o.t.Helper()
	now := time.Now()
	all := object{"iss": o.URL, "jti": "1", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == "" })
	options := (&jose.SignerOptions{}).WithHeader("kid", "1")
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: o.key}, options)
	if err != nil {
		o.t.Fatal(err)
	}
	payload, err := json.Marshal(all)
	if err != nil {
		o.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		o.t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		o.t.Fatal(err)
	}
	return raw
}

// serveDoc serves a Caddyfile of docs/tokens-of-others.md by plain http, with another
// issuer in place of the one that it names.
func serveDoc(t *testing.T, issuer, at string) *running {
	t.Helper()
	page, err := os.ReadFile("../docs/tokens-of-others.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "\n```caddyfile\n")[1:] {
		text, _, _ := strings.Cut(block, "\n```")
		if !strings.Contains(text, issuer) {
			continue
		}
		text = strings.ReplaceAll(text, issuer, at)
		text = strings.Replace(text, "{\n\tgatehouse {\n", fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tstorage file_system %q\n\tgatehouse {\n\t\ttoken_store sqlite %q\n",
			t.TempDir(), filepath.Join(t.TempDir(), "gatehouse.db")), 1)
		for _, site := range []string{"deploy", "app"} {
			text = strings.ReplaceAll(text, "\n"+site+".example.com {", "\nhttp://"+site+".example.com {")
			text = strings.ReplaceAll(text, "reverse_proxy "+site+":3000", `respond "hello {http.auth.user.id} {header.Authorization}"`)
		}
		adapted, err := adapt(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		r, err := start(t, []byte(adapted))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.stop)
		return r
	}
	t.Fatalf("no Caddyfile of %s", issuer)
	return nil
}

func bearing(url, scheme, token string) *http.Request {
	req := get(url)
	req.Header.Set("Authorization", scheme+" "+token)
	return req
}

// docs.github.com, "OpenID Connect reference": the claims of a job's token, whose type
// is JWT.
func TestAcceptTokens_GitHubActions(t *testing.T) {
	o := newTokenIssuer(t, false)
	r := serveDoc(t, "https://token.actions.githubusercontent.com", o.URL)
	jwt := object{"typ": "JWT"}
	job := object{
		"aud": "https://deploy.example.com", "sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "repository": "octo-org/octo-repo",
		"repository_id": "1234", "ref": "refs/heads/main", "actor": "octocat", "workflow": "example-workflow",
	}
	with := func(name string, value any) object {
		changed := maps.Clone(job)
		changed[name] = value
		return changed
	}
	other := newTokenIssuer(t, false)
	for name, tt := range map[string]struct {
		token string
		code  int
		body  string
	}{
		"the repository":           {o.token(jwt, job), 200, "hello octo-org/octo-repo "},
		"several audiences":        {o.token(jwt, with("aud", []string{"x", "https://deploy.example.com"})), 200, "hello"},
		"another repository":       {o.token(jwt, with("repository_id", "1235")), 403, "policy does not allow"},
		"another branch":           {o.token(jwt, with("ref", "refs/heads/x")), 403, "policy does not allow"},
		"for another service":      {o.token(jwt, with("aud", "https://other.example.com")), 401, "invalid_token"},
		"for nobody":               {o.token(jwt, with("aud", "")), 401, "invalid_token"},
		"expired":                  {o.token(jwt, with("exp", time.Now().Add(-time.Second).Unix())), 401, "invalid_token"},
		"without an expiry":        {o.token(jwt, with("exp", "")), 401, "invalid_token"},
		"of the future":            {o.token(jwt, with("nbf", time.Now().Add(time.Hour).Unix())), 401, "invalid_token"},
		"without a subject":        {o.token(jwt, with("sub", "")), 401, "invalid_token"},
		"of another type":          {o.token(object{"typ": "logout+jwt"}, job), 401, "invalid_token"},
		"bound to a key":           {o.token(jwt, with("cnf", object{"jkt": strings.Repeat("A", 43)})), 401, "invalid_token"},
		"bound to a certificate":   {o.token(jwt, with("cnf", object{"x5t#S256": strings.Repeat("A", 43)})), 401, "invalid_token"},
		"bound to anything":        {o.token(jwt, with("cnf", object{"kid": "x"})), 401, "invalid_token"},
		"bound to nothing":         {o.token(jwt, with("cnf", nil)), 401, "invalid_token"},
		"signed by somebody":       {other.token(jwt, with("iss", o.URL)), 401, "invalid_token"},
		"of an issuer of nobody's": {other.token(jwt, job), 401, "Bearer resource_metadata"},
		"with a key of its own":    {o.token(object{"jku": other.URL}, job), 401, "invalid_token"},
		"no token at all":          {"eyJx.e30.", 401, "Bearer resource_metadata"},
	} {
		got := r.do(bearing("http://deploy.example.com/x", "Bearer", tt.token))
		said := got.Body.String() + strings.Join(got.Header().Values("Www-Authenticate"), "\n")
		if got.Code != tt.code || !strings.Contains(said, tt.body) {
			t.Errorf("%s: %d %s", name, got.Code, said)
		}
		if got.Code == 200 && strings.Contains(said, "eyJ") {
			t.Errorf("%s: the token went upstream", name)
		}
	}
	if got := r.do(navigation("http://deploy.example.com/.gatehouse/login")); got.Code != http.StatusNotFound || !strings.Contains(got.Body.String(), "Nobody signs in here") {
		t.Errorf("a person: %d %s", got.Code, got.Body)
	}
}

// kubernetes.io, "Managing Service Accounts": a projected token has no type, and its
// namespace inside kubernetes.io.
func TestAcceptTokens_Kubernetes(t *testing.T) {
	o := newTokenIssuer(t, true)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_CA", ca)
	r := serveDoc(t, "https://kubernetes.default.svc.cluster.local", o.URL)
	account := func(namespace, name string) string {
		return o.token(nil, object{
			"aud": []string{"https://app.example.com"}, "sub": "system:serviceaccount:" + namespace + ":" + name,
			"kubernetes.io": object{"namespace": namespace, "serviceaccount": object{"name": name, "uid": "14ee3fa4"}, "pod": object{"name": "x", "uid": "y"}},
		})
	}
	for token, want := range map[string]int{
		account("prod", "deployer"): 200, account("monitoring", "scraper"): 200, account("prod", "other"): 403, account("dev", "deployer"): 403,
	} {
		if got := r.do(bearing("http://app.example.com/x", "Bearer", token)); got.Code != want {
			t.Errorf("%d %s, want %d", got.Code, got.Body, want)
		}
	}
}

// A flood of unknown key ids has the keys fetched once at most, and keeps nobody out.
func TestAcceptTokens_UnknownKeys(t *testing.T) {
	o := newTokenIssuer(t, false)
	r := serveDoc(t, "https://token.actions.githubusercontent.com", o.URL)
	claims := object{"aud": "https://deploy.example.com", "sub": "x", "repository": "octo-org/octo-repo", "repository_id": "1234", "ref": "refs/heads/main"}
	good := func(n int) *http.Request {
		claims["jti"] = fmt.Sprint(n)
		return bearing("http://deploy.example.com/x", "Bearer", o.token(object{"typ": "JWT"}, claims))
	}
	if got := r.do(good(0)); got.Code != http.StatusOK {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	flood := make([]*http.Request, 50)
	for i := range flood {
		flood[i] = bearing("http://deploy.example.com/x", "Bearer", o.token(object{"typ": "JWT", "kid": fmt.Sprint("unknown", i)}, claims))
	}
	for _, req := range flood {
		if got := r.do(req); got.Code != http.StatusUnauthorized {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	}
	if got := r.do(good(1)); got.Code != http.StatusOK {
		t.Errorf("amid the flood: %d %s", got.Code, got.Body)
	}
	if n := o.fetched.Load(); n > 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// Sessions of people pass as before, with whatever Authorization; a token opens no place
// that does not name its issuer.
func TestAcceptTokens_OnlyWhereNamed(t *testing.T) {
	o := newTokenIssuer(t, false)
	r := serve(t, aliceLocal+"provider ci oidc "+o.URL+" {\n\taccept_tokens {\n\t\taudience http://app.example.com\n\t}\n}\npolicy jobs {\n\tallow provider ci\n\tallow provider local\n}\n",
		"http://app.example.com {\n\tgatehouse /api/* jobs {\n\t\taccept_tokens ci\n\t}\n\tgatehouse /people/* jobs\n\tgatehouse /api/people/*\n\trespond \"{http.auth.user.id} {header.Authorization}\"\n}")
	token := o.token(object{"typ": "at+jwt"}, object{"aud": "http://app.example.com", "sub": "job"})
	for path, want := range map[string]int{"/api/x": 200, "/people/x": 401, "/api/people/x": 401} {
		if got := r.do(bearing("http://app.example.com"+path, "Bearer", token)); got.Code != want {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	for _, path := range []string{"/api/x", "/people/x"} {
		req := bearing("http://app.example.com"+path, "Bearer", token)
		req.AddCookie(r.signIn("app.example.com", nil))
		if got := r.do(req); got.Code != http.StatusOK || got.Body.String() != "alice Bearer "+token {
			t.Errorf("%s with a session: %d %s", path, got.Code, got.Body)
		}
	}
	id := o.token(object{"typ": "JWT"}, object{"aud": "http://app.example.com", "sub": "job"})
	if got := r.do(bearing("http://app.example.com/api/x", "Bearer", id)); got.Code != http.StatusUnauthorized {
		t.Errorf("what may be an ID token: %d %s", got.Code, got.Body)
	}
	if got := r.do(bearing("http://app.example.com/api/x", "DPoP", token)); got.Code != http.StatusUnauthorized {
		t.Errorf("without a proof: %d %s", got.Code, got.Body)
	}
	if got := r.do(navigation("http://app.example.com/.gatehouse/login")); strings.Contains(got.Body.String(), "ci") && strings.Contains(got.Body.String(), "signin?provider=ci") {
		t.Errorf("people are offered the issuer: %s", got.Body)
	}
}

// What cannot be right is refused at load.
func TestAcceptTokens_Mistakes(t *testing.T) {
	const issuer = "provider ci oidc https://ci.example.com {\n"
	const accept = "accept_tokens {\n\taudience https://app.example.com\n}\n"
	for _, tt := range []struct{ block, guard, want string }{
		{accept, "accept_tokens ci", ""},
		{"accept_tokens {\n\tworkload\n}\n", "", "accept_tokens needs the audience"},
		{accept + "prompt login\n", "", "prompt is only for signing in"},
		{accept + "domains example.com\n", "", "domains is only for signing in"},
		{accept + "store_tokens\n", "", "store_tokens is only for signing in"},
		{"accept_tokens {\n\taudience x\n\tintrospect\n}\n", "", "introspect needs client_id"},
		{"accept_tokens {\n\taudience x\n\tworkloads\n}\n", "", `unrecognized option "workloads" of accept_tokens; did you mean "workload"?`},
		{"client_id x\nclient_secret {env.HOME}\naccept_tokens {\n\taudience x\n}\n", "", "the audience is this gateway's own client_id"},
		{"client_id x\nclient_secret {env.HOME}\n", "accept_tokens ci", "provider ci does not say which tokens are taken"},
		{accept, "accept_tokens cj", `provider "cj" is not defined; did you mean "ci"?`},
		{accept, "accept_tokens local", "provider local does not say which tokens are taken"},
		{accept, "provider ci", "nobody signs in at provider \"ci\""},
	} {
		text := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tstorage file_system %q\n\tgatehouse {\n%s%s%s}\n\t}\n}\nhttp://app.example.com {\n\tgatehouse {\n\t%s\n\t}\n}", t.TempDir(), aliceLocal, issuer, tt.block, tt.guard)
		adapted, err := adapt(text)
		if err == nil {
			_, err = provision(t, []byte(adapted))
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s%s: %v, want %q", tt.block, tt.guard, err, tt.want)
		}
	}
	actions := "provider actions oidc https://token.actions.githubusercontent.com {\n\taccept_tokens {\n\t\taudience x\n\t\tworkload\n\t}\n}\n"
	for guard, open := range map[string]bool{"": false, "{\n\taccept_tokens actions\n}": true, "{\n\taccept_tokens actions\n\tallow provider actions claim repository_id 1\n}": false} {
		lines := strings.Replace(actions, "\taccept", "\tclaims repository_id\n\taccept", 1)
		_, err := adapt("{\n\tgatehouse {\n" + aliceLocal + lines + "\t}\n}\nhttp://app.example.com {\n\tgatehouse " + guard + "\n}")
		if (err != nil) != open || open && !strings.Contains(err.Error(), `anybody can open an account at provider "actions"`) {
			t.Errorf("%s: %v", guard, err)
		}
	}
}
