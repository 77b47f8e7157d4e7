package clients_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// envOAuth2Proxy names the program oauth2-proxy.
const envOAuth2Proxy = "GATEHOUSE_TEST_OAUTH2_PROXY"

// TestOAuth2Proxy runs oauth2-proxy, where it is installed, as a client of the default
// block: it signs people in by the issuer's metadata, PKCE and RS256, and passes their
// address on. No package has it.
func TestOAuth2Proxy(t *testing.T) {
	program := os.Getenv(envOAuth2Proxy)
	if program == "" {
		t.Skip("no " + envOAuth2Proxy)
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello "+r.Header.Get("X-Forwarded-Email")+" at "+r.RequestURI)
	}))
	t.Cleanup(app.Close)
	port := gateway.FreePort(t)
	site := fmt.Sprintf("http://localhost:%d", port)
	w := start(t, block("proxy", site+"/oauth2/callback"))
	proxy := exec.Command(program, "--provider=oidc", "--oidc-issuer-url="+w.issuer, "--client-id=proxy", "--client-secret="+secret,
		"--redirect-url="+site+"/oauth2/callback", "--code-challenge-method=S256", "--scope=openid profile email", "--email-domain=*",
		"--cookie-secret=0123456789abcdef0123456789abcdef", "--cookie-secure=false", "--skip-provider-button",
		"--upstream="+app.URL+"/", fmt.Sprintf("--http-address=127.0.0.1:%d", port))
	var says strings.Builder
	proxy.Stdout, proxy.Stderr = &says, &says
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = proxy.Process.Kill()
		_ = proxy.Wait()
		if t.Failed() {
			t.Logf("oauth2-proxy says:\n%s", says.String())
		}
	})
	awaitServer(t, site)
	b := w.browser(t)
	page := signIn(b, site+"/reports?year=2026")
	if page.Status != http.StatusOK || page.Body != "hello alice@example.com at /reports?year=2026" {
		t.Fatalf("the proxy answers %d at %s: %q\n%s", page.Status, page.URL, page.Body, page.Path())
	}
	if again := b.Open(site + "/x"); again.Body != "hello alice@example.com at /x" {
		t.Errorf("the next page: %d %q", again.Status, again.Body)
	}
}
