package presets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

const (
	clientSecret = "a-client-secret+of/the%provider"
	tenant       = "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55"
	otherTenant  = "11111111-0000-4000-8000-3b1d2c7a9e57"
	entraGroup   = "9b1d7c6e-0000-4000-8000-3b1d2c7a9e55"
	egiGroup     = "urn:mace:egi.eu:group:vo.example.org:role=member#aai.egi.eu"
	site         = "http://app.localhost"
)

// TestPresets signs in with the Caddyfile of each provider's page, and in make soak with
// each kind of account besides.
func TestPresets(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range scenarios() {
		file := fmt.Sprint(s.page, " ", s.block)
		first := !seen[file]
		seen[file] = true
		t.Run(s.page+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			if !first {
				gateway.Soak(t)
			}
			s.run(t)
		})
	}
	pages, err := filepath.Glob(filepath.Join(gateway.Root(), "docs", "providers", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		for block := range len(fence.FindAllString(pageText(t, name), -1)) {
			if !seen[fmt.Sprint(name, " ", block)] {
				t.Errorf("nobody signs in with Caddyfile %d of %s", block+1, page)
			}
		}
	}
}

// newBrowser is a browser that reaches the gateway and the stage.
func newBrowser(t *testing.T, node *gateway.Node, stage *stage) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{
		RootCAs: stage.roots, Learn: node.Secrets.Learn,
		Route: func(address string) string {
			if host, port, _ := net.SplitHostPort(address); port == "443" && host != "app.localhost" {
				return stage.address
			}
			return node.Route(address)
		},
	})
}

// open opens the site, and passes on what the provider has the browser post.
func open(b *browser.Browser) *browser.Page {
	page := b.Open(site + "/reports?year=2026")
	for _, form := range page.Forms() {
		if strings.Contains(form.Action.Path, "/callback/") {
			return b.Submit(page, form, nil)
		}
	}
	return page
}

func (s *scenario) run(t *testing.T) {
	p := newProvider(t, s.persona)
	keyFile, public := appleKey(t)
	if s.page == "apple" {
		p.verify = func(secret string) error { return checkAppleSecret(secret, public) }
	}
	stage := newStage(t, p)
	app := upstream.Start(t)
	node := gateway.Start(t, gateway.Options{
		Caddyfile: caddyfile(t, s.page, s.block, app.Addr),
		Env:       append(environment(t, s.page, keyFile), "HTTPS_PROXY="+stage.proxy, "SSL_CERT_FILE="+stage.caFile),
	})
	page := open(newBrowser(t, node, stage))
	if page.Status != s.status {
		t.Fatalf("answered %d, want %d: %s", page.Status, s.status, page.Text())
	}
	if s.log != "" {
		node.Log.Await(t, 0, s.log, time.Minute)
	}
	if s.status != http.StatusOK {
		return
	}
	last := app.Last(t)
	for name, want := range map[string]string{"Remote-User": s.user, "Remote-Name": s.fullName, "Remote-Groups": s.groups} {
		if got := last.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if last.URI != "/reports?year=2026" {
		t.Errorf("landed on %s", last.URI)
	}
	if s.then != nil {
		s.then(t, p, app, open(newBrowser(t, node, stage)))
	}
	if report := node.Verb(t, "doctor"); !strings.Contains(report, "): ok\n") || !strings.Contains(report, "register the redirect URI "+site+"/.gatehouse/callback/") {
		t.Errorf("the doctor says\n%s", report)
	}
}

var (
	fence       = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")
	placeholder = regexp.MustCompile(`\{env\.([A-Z0-9_]+)\}`)
)

func pageText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(gateway.Root(), "docs", "providers", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// caddyfile is one of the page's, by plain http and with the test's upstream.
func caddyfile(t *testing.T, page string, block int, app string) string {
	t.Helper()
	found := fence.FindAllStringSubmatch(pageText(t, page), -1)
	if len(found) <= block {
		t.Fatalf("the page of %s has %d Caddyfiles", page, len(found))
	}
	text := strings.Replace(found[block][1], "\napp.example.com {", "\n"+site+" {", 1)
	return strings.Replace(text, "app:3000", app, 1)
}

func environment(t *testing.T, page, keyFile string) []string {
	t.Helper()
	var env []string
	for _, found := range placeholder.FindAllStringSubmatch(pageText(t, page), -1) {
		value := "gatehouse"
		switch name := found[1]; {
		case strings.HasSuffix(name, "_SECRET"):
			value = clientSecret
		case name == "ENTRA_TENANT_ID":
			value = tenant
		case name == "APPLE_KEY_FILE":
			value = keyFile
		}
		env = append(env, found[1]+"="+value)
	}
	return env
}

func appleKey(t *testing.T) (file string, public *ecdsa.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "AuthKey.p8")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, &key.PublicKey
}

// checkAppleSecret is what Apple does with a client secret.
func checkAppleSecret(secret string, public *ecdsa.PublicKey) error {
	token, err := jwt.ParseSigned(secret, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	var claims jwt.Claims
	if err := token.Claims(public, &claims); err != nil {
		return err
	}
	now := time.Now()
	if claims.IssuedAt == nil || claims.Expiry == nil || claims.Expiry.Time().Sub(now) > 15777000*time.Second { // as Apple bounds it
		return errors.New("the secret has no lifetime that Apple takes")
	}
	return claims.Validate(jwt.Expected{Issuer: "A1B2C3D4E5", Subject: "com.example.app", AnyAudience: jwt.Audience{"https://appleid.apple.com"}, Time: now})
}
