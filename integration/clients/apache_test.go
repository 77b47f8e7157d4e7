package clients_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const (
	apache  = "/usr/sbin/apache2"
	modAuth = "/usr/lib/apache2/modules/mod_auth_openidc.so"
)

// apacheConfig is a site whose people mod_auth_openidc signs in.
const apacheConfig = `ServerName localhost
ServerRoot %[1]s
PidFile %[1]s/pid
ErrorLog %[1]s/error.log
Listen 127.0.0.1:%[2]d
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule auth_openidc_module ` + modAuth + `
DocumentRoot %[1]s/site
OIDCProviderMetadataURL %[3]s/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret %[4]s
OIDCRedirectURI http://localhost:%[2]d/redirect_uri
OIDCCryptoPassphrase of-the-site
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCRemoteUserClaim email
<Location />
	AuthType openid-connect
	Require valid-user
	Header set X-Signed-In "expr=%%{REMOTE_USER}"
</Location>
`

// TestApache runs Debian's libapache2-mod-auth-openidc against the default block of a
// client.
func TestApache(t *testing.T) {
	for _, file := range []string{apache, modAuth} {
		if _, err := os.Stat(file); err != nil {
			missing(t, "apt-get install apache2-bin libapache2-mod-auth-openidc")
		}
	}
	port, folder := gateway.FreePort(t), t.TempDir()
	site := fmt.Sprintf("http://localhost:%d", port)
	w := start(t, block("apache", site+"/redirect_uri", "post_logout_redirect_uri "+site+"/goodbye"))
	config := filepath.Join(folder, "apache.conf")
	if err := os.MkdirAll(filepath.Join(folder, "site"), 0o755); err != nil { //nolint:gosec // Apache runs as another user
		t.Fatal(err)
	}
	for name, content := range map[string]string{config: fmt.Sprintf(apacheConfig, folder, port, w.issuer, secret), filepath.Join(folder, "site", "page.html"): "the page"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil { //nolint:gosec // Apache runs as another user
			t.Fatal(err)
		}
	}
	server := exec.Command(apache, "-f", config, "-DFOREGROUND", "-DNO_DETACH")
	var complaints strings.Builder
	server.Stderr = &complaints
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
		if t.Failed() {
			raw, _ := os.ReadFile(filepath.Join(folder, "error.log"))
			t.Logf("Apache says:\n%s%s", complaints.String(), raw)
		}
	})
	awaitServer(t, site)
	b := w.browser(t)
	for range 2 {
		page := signIn(b, site+"/page.html?a=1")
		if page.Status != http.StatusOK || page.Header.Get("X-Signed-In") != "alice@example.com" || page.Body != "the page" || page.URL.String() != site+"/page.html?a=1" {
			t.Fatalf("the site answers %d at %s to %q:\n%s%s", page.Status, page.URL, page.Header.Get("X-Signed-In"), page.Path(), page.Text())
		}
		b.StopAt("/goodbye")
		page = signOut(b, site+"/redirect_uri?logout="+site+"/goodbye")
		b.StopAt("")
		if again := b.Open(site + "/page.html"); !has(again, "password") {
			t.Fatalf("after a sign-out, which ended at %s, nobody is asked:\n%s%s", page.URL, again.Path(), again.Text())
		}
	}
}

// awaitServer waits until something answers.
func awaitServer(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(address)
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", address, err)
		}
	}
}
