package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// newClientKey is an EC key, as a JWK.
func newClientKey(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKey{Key: private, KeyID: "of the file"})
	if err != nil {
		t.Fatal(err)
	}
	return private, raw
}

// TestPrivateKeyJWT: RFC 7523, section 3. The audience is the issuer alone, since a
// token endpoint that an attacker's metadata name would have us address assertions to
// it that are good elsewhere (CVE-2025-27370); some providers want their endpoint.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	for audience, want := range map[string]string{"": "", AudienceIssuer: "", AudienceTokenEndpoint: "/token"} {
		o := newOP(t)
		private, file := newClientKey(t)
		key, err := ParseClientKey(file, "ours")
		if err != nil {
			t.Fatal(err)
		}
		p := o.client(func(c *Config) { c.ClientSecret, c.Key, c.AssertionAudience = "", key, audience })
		seen := map[string]bool{}
		check := func(what string) {
			t.Helper()
			if o.form.Get("client_assertion_type") != assertionType || o.form.Has("client_secret") || o.basic[0] != "" || o.form.Get("client_id") != "client" {
				t.Errorf("%s: the client authenticates by %v", what, o.form)
			}
			token, err := jwt.ParseSigned(o.form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			var claims jwt.Claims
			if err := token.Claims(&private.PublicKey, &claims); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if err := claims.Validate(jwt.Expected{Issuer: "client", Subject: "client", AnyAudience: jwt.Audience{o.URL + want}, Time: noon}); err != nil || len(claims.Audience) != 1 {
				t.Errorf("%s: %v in %+v", what, err, claims)
			}
			if token.Headers[0].KeyID != "ours" || claims.ID == "" || seen[claims.ID] {
				t.Errorf("%s: kid %q, jti %q", what, token.Headers[0].KeyID, claims.ID)
			}
			seen[claims.ID] = true
		}
		if _, err := signIn(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		check("code")
		if _, err := p.Refresh(t.Context(), "rt", nil); err != nil {
			t.Fatal(err)
		}
		check("refresh")
		if err := p.Revoke(t.Context(), "rt", ""); err != nil {
			t.Fatal(err)
		}
		check("revocation")
	}
}

func TestParseClientKey(t *testing.T) {
	t.Parallel()
	private, jwk := newClientKey(t)
	_, other := newClientKey(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // it is to be refused
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: &private.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	inPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	set := `{"keys":[` + string(jwk) + "," + strings.ReplaceAll(string(other), "of the file", "another") + "]}"
	for name, tt := range map[string]struct{ file, kid, fault string }{
		"JWK":               {string(jwk), "", ""},
		"JWKS with one":     {`{"keys":[` + string(jwk) + `]}`, "", ""},
		"JWKS by kid":       {set, "another", ""},
		"JWKS of two":       {set, "", "several keys"},
		"JWKS, no such kid": {set, "third", "no key of the id"},
		"PKCS #8":           {inPEM("PRIVATE KEY", pkcs8), "", ""},
		"SEC 1":             {inPEM("EC PRIVATE KEY", sec1), "", ""},
		"PEM of a public":   {inPEM("PUBLIC KEY", pkcs8[:20]), "", "no private key"},
		"public JWK":        {string(public), "", "not a private key"},
		"symmetric":         {`{"kty":"oct","k":"c2VjcmV0c2VjcmV0"}`, "", "not a private key"},
		"weak RSA":          {inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)), "", "fewer than 2048"},
		"a secret":          {"s3cr3t", "", "neither a JWK"},
		"empty":             {"", "", "neither a JWK"},
		"other JSON":        {`{"private":"s3cr3t"}`, "", "neither a JWK"},
	} {
		key, err := ParseClientKey([]byte(tt.file), tt.kid)
		if tt.fault == "" && (err != nil || key.Thumbprint() == "") {
			t.Errorf("%s: %v", name, err)
		}
		if tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "s3cr3t")) {
			t.Errorf("%s: %v, want %q", name, err, tt.fault)
		}
	}
}

func FuzzParseClientKey(f *testing.F) {
	_, jwk := newClientKey(f)
	f.Add(jwk, "")
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`), "x")
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----"), "")
	f.Fuzz(func(t *testing.T, file []byte, kid string) {
		key, err := ParseClientKey(file, kid)
		if (key == nil) == (err == nil) {
			t.Fatalf("%v, %v", key, err)
		}
		if err == nil {
			if _, err := key.Sign(jwt.Claims{Subject: "x"}); err != nil {
				t.Fatalf("a key that was accepted does not sign: %v", err)
			}
		}
	})
}

// TestErrorsQuoteNoCredential: a provider that quotes what it was sent puts neither a
// secret that was made for the request nor an assertion into our log.
func TestErrorsQuoteNoCredential(t *testing.T) {
	t.Parallel()
	_, file := newClientKey(t)
	key, err := ParseClientKey(file, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Config){
		"made secret": func(c *Config) {
			c.ClientSecret, c.ClientAuth = "", authPost
			c.MakeSecret = func(time.Time) (string, error) { return "made-s3cr3t", nil }
		},
		"assertion": func(c *Config) { c.ClientSecret, c.Key = "", key },
	} {
		o := newOP(t)
		var sent []string
		o.on("/token", func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			quoted := r.PostForm.Get("client_secret") + r.PostForm.Get("client_assertion")
			sent = append(sent, quoted)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(obj{"error": "invalid_client", "error_description": "not " + quoted})
		})
		p := o.client(edit)
		_, signing := signIn(t.Context(), p)
		_, refreshing := p.Refresh(t.Context(), "rt", nil)
		_, serving := p.ServiceToken(t.Context(), nil)
		_, checking := p.Check(t.Context(), []string{"https://app.example.com/cb"})
		for i, err := range []error{signing, refreshing, serving, checking} {
			if len(sent) <= i || sent[i] == "" || err == nil || strings.Contains(err.Error(), sent[i][:min(len(sent[i]), 40)]) {
				t.Errorf("%s, request %d: %v", name, i, err)
			}
		}
	}
}

// TestMisconfigured: what no waiting mends is told apart from an outage, with the cure
// (field case F7: an invalid_client of ours showed as "does not answer").
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, tt := range map[string]struct {
		path    string
		handler http.HandlerFunc
		want    bool
		cure    string
	}{
		"invalid_client":    {"/token", answer(401, `{"error":"invalid_client"}`), true, "check client_id"},
		"401 and no JSON":   {"/token", answer(401, `no`), true, "check client_id"},
		"redirect URI":      {"/token", answer(400, `{"error":"redirect_uri_mismatch"}`), true, "register the redirect URI"},
		"not for it":        {"/token", answer(400, `{"error":"unauthorized_client"}`), true, "allow the client"},
		"server_error":      {"/token", answer(500, `{"error":"server_error"}`), false, ""},
		"503":               {"/token", answer(503, ``), false, ""},
		"metadata not here": {discoveryPath, answer(404, ``), true, "issuer"},
		"metadata later":    {discoveryPath, answer(503, ``), false, ""},
		"metadata limited":  {discoveryPath, answer(429, ``), false, ""},
	} {
		o := newOP(t)
		o.on(tt.path, tt.handler)
		_, err := signIn(t.Context(), o.client(nil))
		if !errors.Is(err, provider.ErrUnavailable) || errors.Is(err, provider.ErrMisconfigured) != tt.want || !strings.Contains(err.Error(), tt.cure) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
