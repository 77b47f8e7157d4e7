package presets

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// stage is a server for every name on the internet, with an authority of its own, and a
// proxy that leads there.
type stage struct {
	address string // of the server
	proxy   string // URL
	caFile  string
	roots   *x509.CertPool

	handler http.Handler

	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	mu    sync.Mutex
	certs map[string]*tls.Certificate
}

// internet are servers by their hosts.
type internet map[string]http.Handler

func (i internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if i[r.Host] == nil {
		http.Error(w, "no such host", http.StatusBadGateway)
		return
	}
	i[r.Host].ServeHTTP(w, r)
}

func newStage(t *testing.T, handler http.Handler) *stage {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority for tests"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{handler: handler, ca: ca, key: key, certs: map[string]*tls.Certificate{}, roots: x509.NewCertPool(), caFile: filepath.Join(t.TempDir(), "ca.pem")}
	s.roots.AddCert(ca)
	if err := os.WriteFile(s.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{GetCertificate: s.certificate}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	proxy := httptest.NewServer(http.HandlerFunc(s.connect))
	t.Cleanup(proxy.Close)
	s.proxy = proxy.URL
	return s
}

func (s *stage) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.certs[hello.ServerName]; known != nil {
		return known, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(s.certs) + 2)), DNSNames: []string{hello.ServerName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.ca, &s.key.PublicKey, s.key)
	if err != nil {
		return nil, err
	}
	made := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}
	s.certs[hello.ServerName] = made
	return made, nil
}

// inClear is set in requests that came by plain http.
const inClear = "X-In-Clear"

// connect answers CONNECT: every way leads to the server. What is asked for by plain
// http is at keycloak:8080, which is sso.example.com by another name.
func (s *stage) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		if r.URL.Host != "keycloak:8080" {
			http.Error(w, "no such host", http.StatusBadGateway)
			return
		}
		r.Host = "sso.example.com"
		r.Header.Set(inClear, "yes")
		s.handler.ServeHTTP(w, r)
		return
	}
	server, err := net.Dial("tcp", s.address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	_, _ = client.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	go splice(client, server, bufio.NewReader(server))
	go splice(server, client, buffered.Reader)
}

// splice copies until one side ends, and ends the other.
func splice(to, from net.Conn, reader io.Reader) {
	_, _ = io.Copy(to, reader)
	_ = to.Close()
	_ = from.Close()
}
