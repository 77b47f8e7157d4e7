// Package apache runs Apache's httpd in front of a gateway.
package apache

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/certificate"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// startTimeout bounds a start.
const startTimeout = 30 * time.Second

// base is what Debian's packages configure in files of their own.
const base = `
ServerRoot %FOLDER%
PidFile httpd.pid
ErrorLog error.log
ServerName localhost
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
Protocols h2 http/1.1
Listen %ADDRESS%
`

// Proxy is a running httpd.
type Proxy struct {
	// Address on 127.0.0.1, of TLS.
	Address string
	// RootCAs trust its certificate.
	RootCAs *x509.CertPool
}

// Start starts httpd, which ends with the test, and waits until it serves. In the
// configuration, and in the files beside it, %ADDRESS% is where it listens and
// %FOLDER% where they are, cert.pem and key.pem among them.
func Start(t testing.TB, names []string, configuration string, files map[string]string) *Proxy {
	t.Helper()
	program, err := exec.LookPath("apache2")
	if err != nil {
		program = "/usr/sbin/apache2"
	}
	folder, err := os.MkdirTemp("", "httpd") // not t.TempDir, into which its user may not look
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // its user reads it
		t.Fatal(err)
	}
	p := &Proxy{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(gateway.FreePort(t)))}
	p.RootCAs = certificate.Write(t, folder, names)
	place := strings.NewReplacer("%ADDRESS%", p.Address, "%FOLDER%", folder)
	files["httpd.conf"] = base + configuration
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(place.Replace(text)), 0o644); err != nil { //nolint:gosec // its user reads it
			t.Fatal(err)
		}
	}
	// Killed with the test's context it would leave its children behind.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-D", "FOREGROUND", "-f", filepath.Join(folder, "httpd.conf"))
	cmd.WaitDelay = startTimeout
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("Apache's httpd is not installed: %v", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it ends its children then
		<-ended
		if text, err := os.ReadFile(filepath.Join(folder, "error.log")); err == nil && t.Failed() {
			t.Logf("httpd said:\n%s%s", said.String(), text)
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
			t.Fatalf("httpd ended: %s", said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("httpd does not serve: %v", err)
		}
	}
}
