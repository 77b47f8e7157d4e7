// Package haproxy runs HAProxy in front of a gateway.
package haproxy

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

// startTimeout bounds a start.
const startTimeout = 30 * time.Second

// Proxy is a running HAProxy.
type Proxy struct {
	// Address on 127.0.0.1, of TLS.
	Address string
	// RootCAs trust its certificate.
	RootCAs *x509.CertPool
}

// Start starts HAProxy, which ends with the test, and waits until it serves. In the
// configuration, and in the files beside it, %ADDRESS% is where it listens and
// %FOLDER% where they are, both.pem among them.
func Start(t testing.TB, names []string, configuration string, files map[string]string) *Proxy {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy"
	}
	folder := t.TempDir()
	p := &Proxy{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(gateway.FreePort(t)))}
	p.RootCAs = certificate.Write(t, folder, names)
	place := strings.NewReplacer("%ADDRESS%", p.Address, "%FOLDER%", folder)
	files["haproxy.cfg"] = configuration
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(place.Replace(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "-db", "-f", filepath.Join(folder, "haproxy.cfg"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("HAProxy is not installed: %v", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("HAProxy said:\n%s", said.String())
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
			t.Fatalf("HAProxy ended: %s", said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("HAProxy does not serve: %v", err)
		}
	}
}
