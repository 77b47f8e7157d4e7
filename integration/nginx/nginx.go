package nginx

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
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

// Options of a proxy.
type Options struct {
	// Upstream is where all names are passed to, host:port.
	Upstream string
	// Names that the certificate is good for.
	Names []string
	// Forwarded is the value of X-Forwarded-Proto, with nginx's variables;
	// "": $scheme. WebSockets' is Upgraded, if that is set.
	Forwarded, Upgraded string
	// Silent proxies send no X-Forwarded-Proto.
	Silent bool
	// Server is the server block, in place of one that passes everything on. It has
	// %PORT% for the port, and cert.pem and key.pem beside it; Files are what it
	// includes.
	Server string
	Files  map[string]string
}

// Proxy is a running nginx.
type Proxy struct {
	// Port on 127.0.0.1, of TLS.
	Port int
	// RootCAs trust its certificate.
	RootCAs *x509.CertPool
	folder  string
}

// Start starts nginx, which ends with the test, and waits until it serves.
func Start(t testing.TB, o Options) *Proxy {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; !executable(program) {
			t.Fatal("nginx is not installed")
		}
	}
	p := &Proxy{Port: gateway.FreePort(t), folder: t.TempDir()}
	p.RootCAs = certificate.Write(t, p.folder, o.Names)
	for name, text := range o.Files {
		if err := os.WriteFile(p.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(p.file("nginx.conf"), []byte(p.config(o)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-p", p.folder, "-c", p.file("nginx.conf"), "-e", p.file("error.log"))
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
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		conn, err := tls.Dial("tcp", p.Address(), &tls.Config{RootCAs: p.RootCAs, ServerName: o.Names[0]})
		if err == nil {
			_ = conn.Close()
			return p
		}
		select {
		case <-ended:
			t.Fatalf("nginx ended: %s", said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not serve: %v", err)
		}
	}
}

// Address is host:port of the proxy.
func (p *Proxy) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)) }

// Served are the requests so far, as "GET /path 200", without queries.
func (p *Proxy) Served(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(p.file("access.log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (p *Proxy) file(name string) string { return filepath.Join(p.folder, name) }

func (p *Proxy) config(o Options) string {
	forwarded := "$scheme"
	if o.Forwarded != "" {
		forwarded = o.Forwarded
	}
	upgraded := forwarded
	if o.Upgraded != "" {
		upgraded = o.Upgraded
	}
	header := "proxy_set_header X-Forwarded-Proto $forwarded;"
	if o.Silent {
		header = ""
	}
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		_, _ = fmt.Fprintf(&temporary, "\t%s_temp_path %s;\n", kind, p.file(kind))
	}
	head := fmt.Sprintf(`
daemon off;
master_process off;
pid %[1]s/nginx.pid;
events {}
http {
%[2]s
	log_format short '$request_method $uri $status';
	access_log %[1]s/access.log short;
	error_log %[1]s/error.log;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	map $http_upgrade $websocket { default ''; ~*^websocket$ websocket; }
	map $http_upgrade $forwarded { default %[3]s; websocket %[4]s; }
`, p.folder, temporary.String(), forwarded, upgraded)
	if o.Server != "" {
		return head + strings.ReplaceAll(o.Server, "%PORT%", strconv.Itoa(p.Port)) + "}\n"
	}
	return head + fmt.Sprintf(`
	server {
		listen 127.0.0.1:%[2]d ssl;
		ssl_certificate %[1]s/cert.pem;
		ssl_certificate_key %[1]s/key.pem;
		location / {
			proxy_pass http://%[3]s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $remote_addr;
			%[4]s
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_buffering off;
		}
	}
}
`, p.folder, p.Port, o.Upstream, header)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}
