package integration_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/apache"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/haproxy"
	"github.com/gatehouse-auth/gatehouse/integration/nginx"
	"github.com/gatehouse-auth/gatehouse/integration/traefik"
)

// askingNames are the sites that the proxies serve, askingPortal is the portal behind
// them, which they pass on without asking.
var askingNames = []string{"app.example.com", "other.example.com"}

const askingPortal = "auth.example.com"

// asking is a proxy that asks a gateway, and its application.
type asking struct {
	name    string
	node    *gateway.Node
	gate    string // where it asks, host:port
	address string
	roots   *x509.CertPool
}

// askers start the proxies, configured as docs/forward-auth.md says, by dialect.
var askers = map[string]func(t *testing.T, gate, app string) (address string, roots *x509.CertPool){
	"nginx": askByNginx, "haproxy": askByHAProxy, "apache": askByApache, "caddy": askByCaddy, "traefik": askByTraefik,
}

// askersHere are the names of those that are installed. All but Traefik must be.
func askersHere() []string {
	names := []string{"nginx", "haproxy", "apache", "caddy"}
	if traefik.Program() != "" {
		names = append(names, "traefik")
	}
	return names
}

// askTogether runs one gateway, of a block's lines and a directive's options, and a
// proxy of each kind in front of it. Each asks at a port of its own, since each
// speaks a dialect of its own.
func askTogether(t *testing.T, o gateway.Options, app string, names []string, options string, lines ...string) map[string]asking {
	t.Helper()
	gates := map[string]string{}
	var sites strings.Builder
	var portals []string
	for _, name := range names {
		port := gateway.FreePort(t)
		gates[name] = fmt.Sprintf("127.0.0.1:%d", port)
		portals = append(portals, fmt.Sprintf("http://%s:%d", askingPortal, port))
		_, _ = fmt.Fprintf(&sites, "http://:%d {\n\tlog\n\tgatehouse_forward_auth /private/* {\n\t\tproxy %s\n\t\thosts %s\n\t\t%s\n\t}\n}\n",
			port, name, strings.Join(askingNames, " "), options)
	}
	if strings.Contains(strings.Join(lines, "\n"), "issuer ") {
		_, _ = fmt.Fprintf(&sites, "%s {\n\tlog\n\tgatehouse_portal\n}\n", strings.Join(portals, ", "))
	}
	o.Caddyfile = trustLoopback + "\tdebug\n" + strings.TrimPrefix(global(lines...), "{\n") + sites.String()
	n := gateway.Start(t, o)
	all := map[string]asking{}
	for _, name := range names {
		a := asking{name: name, node: n, gate: gates[name]}
		if start := askers[name]; start != nil { // else it can be had nowhere: the test asks in its place
			a.address, a.roots = start(t, a.gate, app)
		}
		all[name] = a
	}
	return all
}

// documented are the blocks of a language in docs/forward-auth.md.
func documented(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/forward-auth.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/forward-auth.md has no block of %s", language)
	}
	return blocks
}

func askByNginx(t *testing.T, gate, app string) (address string, roots *x509.CertPool) {
	t.Helper()
	place := strings.NewReplacer(
		"http://gatehouse:9091", "http://"+gate, "http://app:3000", "http://"+app,
		"listen 443 ssl;", "listen 127.0.0.1:%PORT% ssl http2;", "app.example.com;", strings.Join(askingNames, " ")+";",
		"/etc/ssl/example.com.pem", "cert.pem", "/etc/ssl/example.com.key", "key.pem",
		"include gatehouse-ask.conf;", "include gatehouse-ask.conf; client_max_body_size 0;",
	)
	portal := "server {\n\tlisten 127.0.0.1:%PORT% ssl http2;\n\tserver_name " + askingPortal + ";\n\tssl_certificate cert.pem;\n\tssl_certificate_key key.pem;\n" +
		"\tlocation / {\n\t\tproxy_pass http://" + gate + ";\n\t\tproxy_set_header Host $host;\n\t\tproxy_set_header X-Forwarded-For $remote_addr;\n" +
		"\t\tproxy_set_header X-Forwarded-Proto $scheme;\n\t}\n}\n"
	blocks := documented(t, "nginx")
	p := nginx.Start(t, nginx.Options{Names: append([]string{askingPortal}, askingNames...), Server: blocks[0] + place.Replace(blocks[3]) + portal, Files: map[string]string{
		"gatehouse.conf": place.Replace(blocks[1]), "gatehouse-ask.conf": place.Replace(blocks[2]),
	}})
	return p.Address(), p.RootCAs
}

func askByHAProxy(t *testing.T, gate, app string) (address string, roots *x509.CertPool) {
	t.Helper()
	place := strings.NewReplacer("bind :443", "bind %ADDRESS%", "/etc/ssl/example.com.pem", "%FOLDER%/both.pem",
		"http-request lua.gatehouse http://127.0.0.1:9091", "acl portal hdr(host) "+askingPortal+"\n\thttp-request set-header X-Forwarded-Proto https if portal\n"+
			"\thttp-request set-header X-Forwarded-For %[src] if portal\n\thttp-request lua.gatehouse http://"+gate+" unless portal")
	p := haproxy.Start(t, append([]string{askingPortal}, askingNames...), "global\n\tlua-load %FOLDER%/gatehouse.lua\ndefaults\n\tmode http\n\ttimeout connect 10s\n\ttimeout client 60s\n\ttimeout server 60s\n"+
		place.Replace(documented(t, "haproxy")[0])+"backend gatehouse\n\tserver one "+gate+"\nbackend app\n\tserver one "+app+"\n",
		map[string]string{"gatehouse.lua": documented(t, "lua")[0]})
	return p.Address, p.RootCAs
}

func askByApache(t *testing.T, gate, app string) (address string, roots *x509.CertPool) {
	t.Helper()
	place := strings.NewReplacer(
		"*:443", "%ADDRESS%", "ServerName app.example.com", "ServerName "+askingNames[0]+"\n\tServerAlias "+strings.Join(askingNames[1:], " "),
		"/etc/ssl/example.com.pem", "%FOLDER%/cert.pem", "/etc/ssl/example.com.key", "%FOLDER%/key.pem",
		"/etc/apache2/gatehouse.lua", "%FOLDER%/gatehouse.lua", "http://app:3000", "http://"+app,
	)
	portal := "<VirtualHost %ADDRESS%>\n\tServerName " + askingPortal + "\n\tSSLEngine on\n\tSSLCertificateFile %FOLDER%/cert.pem\n\tSSLCertificateKeyFile %FOLDER%/key.pem\n" +
		"\tProxyPreserveHost on\n\tRequestHeader set X-Forwarded-Proto https\n\tProxyPass / http://" + gate + "/\n</VirtualHost>\n"
	lua := strings.Replace(documented(t, "lua")[1], "http://gatehouse:9091", "http://"+gate, 1)
	p := apache.Start(t, append([]string{askingPortal}, askingNames...), place.Replace(documented(t, "apache")[0])+portal, map[string]string{"gatehouse.lua": lua})
	return p.Address, p.RootCAs
}

func askByCaddy(t *testing.T, gate, app string) (address string, roots *x509.CertPool) {
	t.Helper()
	site := strings.NewReplacer("gatehouse:9091", gate, "app:3000", app, "app.example.com {", strings.Join(askingNames, ", ")+" {\n\ttls internal").
		Replace(documented(t, "caddyfile")[1])
	front := gateway.Start(t, gateway.Options{Caddyfile: "{\n}\n" + site + askingPortal + " {\n\ttls internal\n\treverse_proxy " + gate + "\n}\n"})
	address = fmt.Sprintf("127.0.0.1:%d", front.HTTPSPort)
	awaitTLS(t, front, address)
	return address, front.RootCAs()
}

func askByTraefik(t *testing.T, gate, app string) (address string, roots *x509.CertPool) {
	t.Helper()
	blocks := documented(t, "yaml")
	hosts := make([]string, len(askingNames))
	for i, name := range askingNames {
		hosts[i] = "Host(`" + name + "`)"
	}
	dynamic := strings.NewReplacer("http://gatehouse:9091", "http://"+gate, "Host(`app.example.com`)", "("+strings.Join(hosts, " || ")+")").Replace(blocks[1]) +
		"    portal:\n      rule: Host(`" + askingPortal + "`)\n      service: gatehouse\n" +
		"  services:\n    gatehouse: { loadBalancer: { servers: [{ url: \"http://" + gate + "\" }] } }\n    app: { loadBalancer: { servers: [{ url: \"http://" + app + "\" }] } }\n"
	p := traefik.Start(t, append([]string{askingPortal}, askingNames...), strings.Replace(blocks[2], ":443", "%ADDRESS%", 1), dynamic)
	return p.Address, p.RootCAs
}

// awaitTLS waits until a Caddy has made its certificates.
func awaitTLS(t *testing.T, n *gateway.Node, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		ready := true
		for _, name := range append([]string{askingPortal}, askingNames...) {
			conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: n.RootCAs(), ServerName: name})
			if ready = ready && err == nil; err == nil {
				_ = conn.Close()
			}
		}
		if ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the Caddy in front has no certificates")
		}
	}
}
