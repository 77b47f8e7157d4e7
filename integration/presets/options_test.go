package presets

import (
	"cmp"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// option is what a provider demands, and what a block says of it.
type option struct {
	lines  string
	block  string // in place of an oidc block with these lines
	change func(*persona)
	env    []string // in place of the proxy for https and the authority
	status int      // default: 200
	log    string
	judge  func(t *testing.T, p *provider, b *browser.Browser)
}

const sso = "https://sso.example.com"

func options(key *ecdsa.PublicKey, at *stage) map[string]option {
	const secret = "client_secret {env.CLIENT_SECRET}\n"
	assertion := func(audience string) func(*persona) {
		return func(p *persona) {
			p.auth = "private_key_jwt"
			p.verify = func(raw string) error { return checkAssertion(raw, key, audience) }
		}
	}
	asks := func(name, value string) func(*testing.T, *provider, *browser.Browser) {
		return func(t *testing.T, p *provider, _ *browser.Browser) {
			t.Helper()
			if got := p.last("/authorize").URL.Query().Get(name); got != value {
				t.Errorf("the provider is asked with %s=%q, want %q", name, got, value)
			}
		}
	}
	return map[string]option{
		"private_key_jwt, par, parameters": {
			lines: "client_auth private_key_jwt {env.KEY_FILE} key-1\npar\nauth_params audience https://api.example.com\nacr_values gold silver\nprompt select_account\n", change: assertion(sso),
			judge: func(t *testing.T, p *provider, _ *browser.Browser) {
				t.Helper()
				pushed := p.last("/par").PostForm //nolint:forbidigo // the field, not the function
				for name, want := range map[string]string{"audience": "https://api.example.com", "acr_values": "gold silver", "prompt": "select_account", "response_type": "code"} {
					if pushed.Get(name) != want {
						t.Errorf("%s is %q, want %q", name, pushed.Get(name), want)
					}
				}
				if q := p.last("/authorize").URL.Query(); len(q) != 2 || q.Get("client_id") != "gatehouse" || q.Get("request_uri") == "" {
					t.Errorf("the browser carries %v", q)
				}
				redeemed := p.last("/token").PostForm //nolint:forbidigo // the field, not the function
				if pushed.Get("client_assertion") == redeemed.Get("client_assertion") {
					t.Error("an assertion is used twice")
				}
			},
		},
		"assertion_audience": {lines: "client_auth private_key_jwt {env.KEY_FILE}\nassertion_audience token_endpoint\n", change: assertion(sso + "/token")},
		"client_auth post": {lines: secret + "client_auth post\n", change: func(p *persona) {
			p.auth, p.metadata = "post", obj{"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}}
		}},
		"client_auth none":        {lines: "client_auth none\n", change: func(p *persona) { p.auth = "none" }},
		"response_mode form_post": {lines: secret + "response_mode form_post\n", judge: asks("response_mode", "form_post")},
		"own authority": {
			lines: secret + "tls_trust_pool file {$CA_FILE}\n",
			env:   []string{"HTTPS_PROXY=" + at.proxy, "CA_FILE=" + at.caFile},
		},
		"an authority that is not known": {lines: secret, env: []string{"HTTPS_PROXY=" + at.proxy}, status: 502, log: "name that authority in tls_trust_pool"},
		"internal_url by plain http": {
			lines: secret + "internal_url http://keycloak:8080\ninsecure_http\n", env: []string{"HTTP_PROXY=" + at.proxy},
			judge: func(t *testing.T, p *provider, _ *browser.Browser) {
				t.Helper()
				for _, path := range []string{"/openid-configuration", "/token", "/keys"} {
					if r := p.last(path); r == nil || r.Header.Get(inClear) == "" {
						t.Errorf("%s was not asked for at the internal address", path)
					}
				}
			},
		},
		"endpoints without discovery": {
			lines: secret + "endpoints {\nauthorization " + sso + "/authorize\ntoken " + sso + "/token\njwks " + sso + "/keys\n}\n",
			judge: func(t *testing.T, p *provider, _ *browser.Browser) {
				t.Helper()
				if p.last("/openid-configuration") != nil {
					t.Error("metadata were fetched")
				}
			},
		},
		"userinfo always": {lines: secret + "userinfo always\n", judge: func(t *testing.T, p *provider, _ *browser.Browser) {
			t.Helper()
			if p.last("/userinfo") == nil {
				t.Error("userinfo was not asked")
			}
		}},
		"userinfo never": {lines: secret + "userinfo never\nuser_claim sub\n", change: func(p *persona) { p.idToken = obj{} }, judge: func(t *testing.T, p *provider, _ *browser.Browser) {
			t.Helper()
			if p.last("/userinfo") != nil {
				t.Error("userinfo was asked")
			}
		}},
		"trust_email":              {lines: secret + "trust_email example.com\nallow domain example.com\n", change: unsaid},
		"trust_email of another":   {lines: secret + "trust_email example.org\nallow domain example.com\n", change: unsaid, status: 403, log: "write trust_email"},
		"no trust_email":           {lines: secret + "allow domain example.com\n", change: unsaid, status: 403, log: "the address of a user is not verified by the provider"},
		"trust_email and a denial": {lines: secret + "trust_email example.com\nallow domain example.com\n", change: func(p *persona) { p.idToken["email_verified"] = false }, status: 403},
		"hosted_domain": {
			block: "provider google {\nclient_id gatehouse\n" + secret + "hosted_domain example.com\nallow domain alias.example\n}\n",
			change: func(p *persona) {
				p.issuer, p.idToken["hd"], p.idToken["email"] = "https://accounts.google.com", "example.com", "alice@alias.example"
			},
			judge: asks("hd", "example.com"),
		},
		"another hosted_domain": {
			block: "provider google {\nclient_id gatehouse\n" + secret + "hosted_domain example.com\nallow domain alias.example\n}\n",
			change: func(p *persona) {
				p.issuer, p.idToken["hd"], p.idToken["email"] = "https://accounts.google.com", "evil.example", "alice@alias.example"
			},
			status: 403, log: "does not belong to the hosted domain",
		},
		"sign_out": {lines: secret + "sign_out\n", judge: func(t *testing.T, p *provider, b *browser.Browser) {
			t.Helper()
			page := b.Open(site + "/.gatehouse/logout")
			page = b.Submit(page, page.Forms()[0], nil)
			left := p.last("/bye")
			if left == nil || left.URL.Query().Get("id_token_hint") == "" || left.URL.Query().Get("post_logout_redirect_uri") != site+"/.gatehouse/logout" {
				t.Fatalf("signed out at the provider: %v", left)
			}
			if !strings.Contains(page.Text(), "You are signed out") {
				t.Errorf("it ends at %s", page.Text())
			}
		}},
	}
}

// unsaid is a provider that does not say whether addresses are verified.
func unsaid(p *persona) { delete(p.idToken, "email_verified") }

// TestOptions: each option of a provider's block has the effect that it promises, in the
// built gateway, at a provider that insists on it (field cases A4, A5, A12, D13, F7).
func TestOptions(t *testing.T) {
	t.Parallel()
	for name := range options(nil, &stage{}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "own authority" && name != "private_key_jwt, par, parameters" {
				gateway.Soak(t)
			}
			tryOption(t, name)
		})
	}
}

func tryOption(t *testing.T, name string) {
	t.Helper()
	keyFile, public := appleKey(t)
	p := newProvider(t, persona{
		issuer: sso, auth: "basic", idToken: obj{"email": "alice@example.com", "email_verified": true, "name": "Alice"},
		userinfo: obj{"sub": "subject-1", "name": "Alice"},
	})
	stage := newStage(t, p)
	o := options(public, stage)[name]
	if o.change != nil {
		o.change(&p.persona)
	}
	if o.block == "" {
		o.block = "provider sso oidc " + sso + " {\nclient_id gatehouse\n" + o.lines + "}\n"
	}
	if o.env == nil {
		o.env = []string{"HTTPS_PROXY=" + stage.proxy, "SSL_CERT_FILE=" + stage.caFile}
	}
	app := upstream.Start(t)
	node := gateway.Start(t, gateway.Options{
		Caddyfile: "{\ngatehouse {\n" + o.block + "}\n}\n" + site + " {\ngatehouse\nreverse_proxy " + app.Addr + "\n}\n",
		Env:       append(o.env, "CLIENT_SECRET="+clientSecret, "KEY_FILE="+keyFile),
	})
	b := newBrowser(t, node, stage)
	page := open(b)
	if page.Status != cmp.Or(o.status, http.StatusOK) {
		t.Fatalf("answered %d: %s\n%s", page.Status, page.Text(), node.Log.Text())
	}
	if o.log != "" {
		node.Log.Await(t, 0, o.log, time.Minute)
	}
	if o.judge != nil {
		o.judge(t, p, b)
	}
}

// checkAssertion is what a provider does with a client assertion (RFC 7523, section 3).
func checkAssertion(raw string, key *ecdsa.PublicKey, audience string) error {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	var claims jwt.Claims
	if err := token.Claims(key, &claims); err != nil {
		return err
	}
	if claims.ID == "" || !slices.Equal(claims.Audience, jwt.Audience{audience}) {
		return errors.New("without an id, or for another audience")
	}
	return claims.Validate(jwt.Expected{Issuer: "gatehouse", Subject: "gatehouse", Time: time.Now()})
}

// TestChoice: addresses lead to the provider of their domain, hidden or not, guards to
// theirs, and an answer that was meant for one block is no other's, though both have one
// issuer (RFC 9700, section 4.4).
func TestChoice(t *testing.T) {
	t.Parallel()
	alice := obj{"email": "alice@example.com", "email_verified": true, "name": "Alice"}
	staff := newProvider(t, persona{issuer: sso, auth: "basic", idToken: alice})
	other := newProvider(t, persona{issuer: "https://other.example.com", auth: "basic", idToken: obj{"email": "bob@example.org", "email_verified": true, "name": "Bob"}})
	stage := newStage(t, internet{"sso.example.com": staff, "other.example.com": other})
	app := upstream.Start(t)
	block := func(name, issuer, more string) string {
		return fmt.Sprintf("provider %s oidc %s {\nclient_id gatehouse\nclient_secret {env.CLIENT_SECRET}\n%s}\n", name, issuer, more)
	}
	node := gateway.Start(t, gateway.Options{
		Caddyfile: "{\ngatehouse {\n" + block("staff", sso, "hidden\ndomains example.com\n") + block("other", "https://other.example.com", "") +
			block("twin", sso, "identity_namespace twin\n") + "}\n}\n" + site + " {\ngatehouse\nreverse_proxy " + app.Addr + "\n}\n" +
			"http://admin.localhost {\ngatehouse {\nprovider staff\nallow provider staff\n}\nreverse_proxy " + app.Addr + "\n}\n",
		Env: []string{"CLIENT_SECRET=" + clientSecret, "HTTPS_PROXY=" + stage.proxy, "SSL_CERT_FILE=" + stage.caFile},
	})
	newcomer := func() *browser.Browser { return newBrowser(t, node, stage) }

	b := newcomer()
	page := b.Open(site + "/")
	if text := page.Text(); !strings.Contains(text, "other") || strings.Contains(text, "staff") {
		t.Errorf("the choices are %s", text)
	}
	page = b.Submit(page, b.Find(page, "address"), map[string]string{"address": "alice@example.com"})
	if hint := staff.last("/authorize").URL.Query().Get("login_hint"); page.Status != 200 || app.Last(t).Header.Get("Remote-User") != "alice@example.com" || hint != "alice@example.com" {
		t.Errorf("an address leads to %d (%s), with the hint %q", page.Status, page.Text(), hint)
	}
	if page := newcomer().Open("http://admin.localhost/"); page.Status != 200 || app.Last(t).Header.Get("Remote-User") != "alice@example.com" {
		t.Errorf("the guard leads to %d: %s", page.Status, page.Text())
	}

	b = newcomer()
	page = b.Open(site + "/")
	b.StopAt("/callback/")
	twin := ""
	for text, link := range page.Links() {
		if strings.Contains(text, "twin") {
			twin = link
		}
	}
	to := b.Open(twin).Next()
	if to == nil || !strings.HasSuffix(to.Path, "/callback/twin") {
		t.Fatalf("stopped at %v", to)
	}
	swapped := *to
	swapped.Path = strings.Replace(to.Path, "/callback/twin", "/callback/staff", 1)
	if page := b.Step(swapped.String()); page.Status != http.StatusBadRequest {
		t.Errorf("an answer to one block is another's: %d %s", page.Status, page.Text())
	}
	if page := newcomer().Step(to.String()); page.Status != http.StatusBadRequest { // login CSRF
		t.Errorf("an answer is anybody's: %d %s", page.Status, page.Text())
	}
	wrong := to.Query()
	wrong.Set("iss", "https://other.example.com")
	confused := *to
	confused.RawQuery = wrong.Encode()
	if page := b.Step(confused.String()); page.Status != http.StatusForbidden { // RFC 9207
		t.Errorf("an answer of another issuer: %d %s", page.Status, page.Text())
	}
	for _, value := range []string{"nobody", "staff", "../x", "\"><script>"} { // the cookie is only a hint
		c := newcomer()
		c.SetCookie(site+"/.gatehouse/", &http.Cookie{Name: "gatehouse-chosen", Value: url.QueryEscape(value), Path: "/.gatehouse/"})
		if page := c.Open(site + "/"); page.Status != 200 || strings.Contains(page.Text(), "staff") || strings.Contains(page.Body, "<script>") {
			t.Errorf("the choice %q: %d %s", value, page.Status, page.Text())
		}
	}
}
