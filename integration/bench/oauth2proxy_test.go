package bench_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// envOAuth2Proxy names the environment variable that says where oauth2-proxy is, if it
// is not on the path:
//
//	GOBIN=… go install github.com/oauth2-proxy/oauth2-proxy/v7@latest
const envOAuth2Proxy = "GATEHOUSE_TEST_OAUTH2_PROXY"

// oauth2Proxy is one that runs.
type oauth2Proxy struct {
	command *exec.Cmd
	address string // host:port
}

// oauth2ProxyProgram is where oauth2-proxy is, or "".
func oauth2ProxyProgram() string {
	if program := os.Getenv(envOAuth2Proxy); program != "" {
		return program
	}
	program, err := exec.LookPath("oauth2-proxy")
	if err != nil {
		return ""
	}
	return program
}

// startOAuth2Proxy starts oauth2-proxy with sessions in cookies, its default, in front of
// an upstream.
func startOAuth2Proxy(b *testing.B, program, upstream string, args ...string) *oauth2Proxy {
	b.Helper()
	const callback = "http://oauth2-proxy.localhost/oauth2/callback"
	provider := openid.Start(b, callback)
	o := &oauth2Proxy{address: fmt.Sprintf("127.0.0.1:%d", gateway.FreePort(b))}
	o.command = exec.CommandContext(b.Context(), program, append([]string{
		"--provider=oidc", "--oidc-issuer-url=" + provider.Issuer, "--client-id=" + openid.ClientID,
		"--client-secret=" + openid.ClientSecret, "--cookie-secret=0123456789abcdef0123456789abcdef", "--cookie-secure=false", "--email-domain=*",
		"--insecure-oidc-allow-unverified-email", "--http-address=" + o.address, "--redirect-url=" + callback, "--skip-provider-button=true",
		"--code-challenge-method=S256", "--upstream=" + upstream, "--request-logging=false", "--auth-logging=false", "--standard-logging=false",
	}, args...)...)
	var said strings.Builder
	o.command.Stdout, o.command.Stderr = &said, &said
	if err := o.command.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = o.command.Wait() }()
	b.Cleanup(func() {
		_ = o.command.Process.Kill()
		<-ended
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := (&http.Client{Timeout: time.Minute}).Get("http://" + o.address + "/ping")
		if err == nil {
			_ = resp.Body.Close()
			return o
		}
		select {
		case <-ended:
			b.Fatalf("oauth2-proxy ended: %s", said.String())
		default:
		}
		if time.Now().After(deadline) {
			b.Fatalf("oauth2-proxy does not serve: %v", err)
		}
	}
}

// signIn signs in and returns the Cookie header.
func (o *oauth2Proxy) signIn(b *testing.B) string {
	b.Helper()
	const site = "http://oauth2-proxy.localhost/"
	person := browser.New(b, browser.Options{Route: func(address string) string {
		if strings.HasPrefix(address, "oauth2-proxy.localhost:") {
			return o.address
		}
		return address
	}})
	page := person.Open(site)
	page = person.Submit(page, person.Find(page, "password"), map[string]string{"username": "alice", "password": openid.Password})
	if page.Status != http.StatusOK || !strings.HasPrefix(page.Body, "ok") {
		b.Fatalf("signing in at oauth2-proxy: status %d\n%s%s", page.Status, page.Path(), page.Text())
	}
	return cookieLine(person, site)
}
