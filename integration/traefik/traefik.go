// Package traefik runs Traefik in front of a gateway, where one is installed: Debian
// has no package of it, and it is too large to be built for a test.
package traefik

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/certificate"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// EnvProgram names the environment variable that says where Traefik is, if it is not
// on the path.
const EnvProgram = "GATEHOUSE_TEST_TRAEFIK"

// startTimeout bounds a start.
const startTimeout = 60 * time.Second

// rest is what a configuration of the documentation leaves to the operator.
const rest = `
global: { checkNewVersion: false, sendAnonymousUsage: false }
providers: { file: { filename: "%FOLDER%/dynamic.yml", watch: false } }
`

// certificates goes with the dynamic configuration.
const certificates = `
tls: { stores: { default: { defaultCertificate: { certFile: "%FOLDER%/cert.pem", keyFile: "%FOLDER%/key.pem" } } } }
`

// Proxy is a running Traefik.
type Proxy struct {
	// Address on 127.0.0.1, of TLS.
	Address string
	// RootCAs trust its certificate.
	RootCAs *x509.CertPool
}

// Program is where Traefik is, or "".
func Program() string {
	if program := os.Getenv(EnvProgram); program != "" {
		return program
	}
	program, err := exec.LookPath("traefik")
	if err != nil {
		return ""
	}
	return program
}

// Start starts Traefik, which ends with the test, and waits until it serves. In both
// configurations %ADDRESS% is where it listens.
func Start(t testing.TB, names []string, static, dynamic string) *Proxy {
	t.Helper()
	folder := t.TempDir()
	p := &Proxy{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(gateway.FreePort(t)))}
	p.RootCAs = certificate.Write(t, folder, names)
	place := strings.NewReplacer("%ADDRESS%", p.Address, "%FOLDER%", folder)
	for name, text := range map[string]string{"static.yml": static + rest, "dynamic.yml": dynamic + certificates} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(place.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), Program(), "--configFile="+filepath.Join(folder, "static.yml"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("Traefik said:\n%s", said.String())
		}
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		conn, err := tls.Dial("tcp", p.Address, &tls.Config{RootCAs: p.RootCAs, ServerName: names[0]})
		if err == nil {
			_ = conn.Close()
			return p
		}
		select {
		case <-ended:
			t.Fatalf("Traefik ended: %s", said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("Traefik does not serve: %v", err)
		}
	}
}
