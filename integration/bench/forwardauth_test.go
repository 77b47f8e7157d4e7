package bench_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/bench"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/nginx"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// asked are the sites of one nginx: two that ask before each request, and one that asks
// nobody.
var asked = []string{"gatehouse", "oauth2-proxy", "plain"}

// forwardAuth is an nginx with what it asks.
type forwardAuth struct {
	proxy, upstream string // host:port
	gateway         *gateway.Node
	other           *oauth2Proxy
}

// BenchmarkForwardAuth measures nginx that asks the gateway by auth_request, as
// docs/forward-auth.md configures it, against nginx that asks oauth2-proxy as its own
// documentation does, in rounds of one-second windows. Sessions are of browsers
// that are signed in.
func BenchmarkForwardAuth(b *testing.B) {
	f := startForwardAuth(b)
	cookies := map[string]string{"gatehouse": f.signIn(b, "gatehouse", password), "oauth2-proxy": f.signIn(b, "oauth2-proxy", openid.Password)}
	load := map[string]*bench.Target{}
	for _, name := range asked {
		request := fmt.Sprintf("GET /reports?year=2026 HTTP/1.1\r\nHost: %s.localhost\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\nAccept-Language: en\r\nCookie: theme=dark; %s\r\n\r\n", name, cookies[name])
		target, err := bench.Open(b.Context(), f.proxy, [][]byte{[]byte(request)}, *connectionsFlag)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = target.Close() })
		load[name] = target
		if _, err := target.Run(window / 2); err != nil { // warm
			b.Fatalf("%s: %v", name, err)
		}
	}
	samples := bench.Samples{}
	order := slices.Clone(asked)
	b.ResetTimer()
	for range b.N {
		for _, name := range order {
			samples[name] = append(samples[name], measureProcess(b, f.pid(name), load[name]))
		}
		slices.Reverse(order)
	}
	b.StopTimer()
	throughput, cost := samples.Ratio("gatehouse", "oauth2-proxy")
	b.ReportMetric(throughput, "throughput-ratio")
	b.ReportMetric(cost, "cpu-ratio")
	b.ReportMetric(0, "ns/op")
	if b.N == 1 {
		return // the benchmark's trial run
	}
	if err := samples.Print(os.Stdout, asked, []bench.Pair{{A: "gatehouse", B: "oauth2-proxy"}}); err != nil {
		b.Fatal(err)
	}
}

// pid is the process that is asked about a site; the gateway's where nobody is.
func (f *forwardAuth) pid(site string) int {
	if site == "oauth2-proxy" {
		return f.other.command.Process.Pid
	}
	return f.gateway.PID()
}

func startForwardAuth(b *testing.B) *forwardAuth {
	b.Helper()
	program := oauth2ProxyProgram()
	if program == "" {
		b.Skip("there is no oauth2-proxy on the path, nor in " + envOAuth2Proxy)
	}
	upstream, err := bench.Upstream(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	f := &forwardAuth{upstream: upstream, proxy: fmt.Sprintf("127.0.0.1:%d", gateway.FreePort(b))}
	f.gateway = gateway.Start(b, gateway.Options{Caddyfile: fmt.Sprintf("{\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/8\n\t}\n"+
		"\tgatehouse {\n\t\tprovider local {\n\t\t\tuser alice %s {\n\t\t\t\temail alice@example.com\n\t\t\t\tgroups staff\n\t\t\t}\n\t\t}\n\t}\n}\n"+
		"http:// {\n\tgatehouse_forward_auth {\n\t\tproxy nginx\n\t\thosts gatehouse.localhost\n\t}\n}\n", hash)})
	f.other = startOAuth2Proxy(b, program, "static://202", "--reverse-proxy=true", "--trusted-proxy-ip=127.0.0.1", "--set-xauthrequest=true")
	f.startNginx(b, f.other.address)
	return f
}

// startNginx configures each site as the documentation of what it asks does.
func (f *forwardAuth) startNginx(b *testing.B, other string) {
	b.Helper()
	text, err := os.ReadFile("../../docs/forward-auth.md")
	if err != nil {
		b.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "```nginx\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, strings.ReplaceAll(block, "http://gatehouse:9091", fmt.Sprintf("http://127.0.0.1:%d", f.gateway.HTTPPort)))
	}
	// The load generator keeps its connections.
	head := "\tlisten " + f.proxy + ";\n\tserver_name %s.localhost;\n\tkeepalive_requests 100000000;\n"
	site := func(name, rest string) string { return "server {\n" + fmt.Sprintf(head, name) + rest + "}\n" }
	pass := "\t\tproxy_pass http://" + f.upstream + ";\n"
	nginx.Start(b, nginx.Options{
		Names: []string{"gatehouse.localhost"},
		Files: map[string]string{"gatehouse.conf": blocks[1], "gatehouse-ask.conf": blocks[2]},
		Server: blocks[0] + "server {\n\tlisten 127.0.0.1:%PORT% ssl;\n\tssl_certificate cert.pem;\n\tssl_certificate_key key.pem;\n}\n" +
			site("gatehouse", "\tinclude gatehouse.conf;\n\tlocation / {\n\t\tinclude gatehouse-ask.conf;\n"+pass+"\t}\n") +
			site("plain", "\tlocation / {\n"+pass+"\t\tproxy_http_version 1.1;\n\t\tproxy_set_header Connection '';\n\t}\n") +
			site("oauth2-proxy", strings.ReplaceAll(`
	location /oauth2/ {
		proxy_pass http://OTHER;
		proxy_set_header Host $host;
		proxy_set_header X-Real-IP $remote_addr;
		proxy_set_header X-Auth-Request-Redirect $request_uri;
	}
	location = /oauth2/auth {
		proxy_pass http://OTHER;
		proxy_set_header Host $host;
		proxy_set_header X-Real-IP $remote_addr;
		proxy_set_header X-Forwarded-Uri $request_uri;
		proxy_set_header Content-Length "";
		proxy_pass_request_body off;
	}
	absolute_redirect off;
	location @oauth2_signin { return 302 /oauth2/sign_in?rd=$scheme://$host$request_uri; }
	location / {
		auth_request /oauth2/auth;
		error_page 401 = @oauth2_signin;
		auth_request_set $user $upstream_http_x_auth_request_user;
		auth_request_set $email $upstream_http_x_auth_request_email;
		proxy_set_header X-User $user;
		proxy_set_header X-Email $email;
		auth_request_set $auth_cookie $upstream_http_set_cookie;
		add_header Set-Cookie $auth_cookie;
		proxy_http_version 1.1;
		proxy_set_header Connection '';
`, "OTHER", other)+pass+"\t}\n"),
	})
}

// signIn signs in at a site and returns its Cookie header.
func (f *forwardAuth) signIn(b *testing.B, site, secret string) string {
	b.Helper()
	address := "http://" + site + ".localhost/"
	person := browser.New(b, browser.Options{Learn: f.gateway.Secrets.Learn, Route: func(address string) string {
		if strings.Contains(address, ".localhost:") {
			return f.proxy
		}
		return address
	}})
	page := person.Open(address)
	page = person.Submit(page, person.Find(page, "password"), map[string]string{"username": "alice", "password": secret})
	if page.Status != http.StatusOK || !strings.HasPrefix(page.Body, "ok") {
		b.Fatalf("signing in at %s: status %d\n%s%s", site, page.Status, page.Path(), page.Text())
	}
	return cookieLine(person, address)
}
