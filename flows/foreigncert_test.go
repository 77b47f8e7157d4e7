package flows_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// RFC 8705, section 3: a token that is bound to a certificate is good with that one alone,
// in the connection of the client itself.
func TestForeign_BoundToACertificate(t *testing.T) {
	o := newOutside(t)
	w := takingTokens(t, o)
	ours, others := httptest.NewTLSServer(nil), newCertificate(t)
	t.Cleanup(ours.Close)
	certificate := ours.Certificate()
	sum := sha256.Sum256(certificate.Raw)
	claims := map[string]any{
		"iss": o.URL, "sub": "robot", "aud": "https://api.test", "exp": w.clock.now().Add(time.Hour).Unix(),
		"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	bound := o.token(claims)
	o.live["opaque"] = map[string]any{"active": true, "sub": "robot", "aud": "https://api.test", "cnf": claims["cnf"]}
	for name, tt := range map[string]struct {
		connection *tls.ConnectionState
		want       int
	}{
		"with it":              {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate, others}}, http.StatusOK},
		"with another":         {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{others}}, http.StatusUnauthorized},
		"with it further down": {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{others, certificate}}, http.StatusUnauthorized},
		"with none":            {&tls.ConnectionState{}, http.StatusUnauthorized},
		"by plain http":        {nil, http.StatusUnauthorized},
	} {
		for _, token := range []string{bound, "opaque"} {
			r := httptest.NewRequest(http.MethodGet, w.siteURL("one")+"/x", nil)
			r.TLS = tt.connection
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("X-Forwarded-Client-Cert", base64.StdEncoding.EncodeToString(certificate.Raw))
			if _, got := w.decide(r); got != tt.want {
				t.Errorf("%s, %.6s…: %d", name, token, got)
			}
		}
	}
}

// newCertificate is somebody's, signed by itself.
func newCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// thumb is the thumbprint of the holder's key (RFC 7638).
func (h *holder) thumb() string {
	h.t.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		h.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}
