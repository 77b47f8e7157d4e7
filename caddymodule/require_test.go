package caddymodule

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// raised is a sign-in at sso of a class, so long ago.
func raised(acr string, ago time.Duration) func(*identity.Claims) {
	return ofSSO(func(c *identity.Claims) { c.ACR, c.AuthTime = acr, time.Now().Add(-ago) })
}

// Only the place that requires more asks again, a matcher sees the class, and policy
// comes first.
func TestRequire(t *testing.T) {
	r := serve(t, ssoWithClaims+"policy nobody {\n\tallow user nobody\n}\n",
		"http://app.example.com {\n\tgatehouse\n\tgatehouse /admin/* {\n\t\trequire acr gold platinum\n\t\trequire max_age 10m\n\t\tdry_run\n\t}\n"+
			"\tgatehouse /closed/* nobody {\n\t\trequire acr gold\n\t}\n\t@gold gatehouse claim acr gold\n\trespond @gold \"gold of {http.auth.user.id}\"\n\trespond \"here {http.auth.user.id}\"\n}")
	const site = "app.example.com"
	bronze, gold, old := r.signIn(site, raised("bronze", 0)), r.signIn(site, raised("gold", time.Minute)), r.signIn(site, raised("gold", 11*time.Minute))
	for name, tt := range map[string]struct {
		cookie *http.Cookie
		path   string
		code   int
		body   string
	}{
		"elsewhere":            {bronze, "/", 200, "here bob@example.com"},
		"another class":        {bronze, "/admin/x", 401, "stronger or more recent"},
		"the class":            {gold, "/admin/x", 200, "gold of bob@example.com"},
		"the class, too old":   {old, "/admin/x", 401, "stronger or more recent"},
		"another spelling":     {bronze, "/a/..%2fadmin/x", 401, ""},
		"who may not enter":    {bronze, "/closed/x", 403, "policy does not allow"},
		"the class, elsewhere": {old, "/", 200, "gold of bob@example.com"},
	} {
		got := r.do(get("http://app.example.com"+tt.path, tt.cookie))
		if got.Code != tt.code || !strings.Contains(got.Body.String(), tt.body) {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		said := strings.Join(got.Header().Values("Www-Authenticate"), "\n")
		if got.Code == 401 && !strings.Contains(said, `error="insufficient_user_authentication"`) || got.Code == 401 && !strings.Contains(said, `acr_values="gold platinum", max_age="600"`) {
			t.Errorf("%s: %s", name, said)
		}
	}
	got := r.do(navigation("http://app.example.com/admin/x?y", bronze))
	if to := got.Header().Get("Location"); got.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/.gatehouse/login?return_to=%2Fadmin%2Fx%3Fy&step=") {
		t.Errorf("a navigation: %d %s", got.Code, to)
	}
	if got := r.do(get("http://app.example.com/.gatehouse/.well-known/openid-configuration")); !strings.Contains(got.Body.String(), `"acr_values_supported":["gold","platinum"]`) {
		t.Errorf("metadata: %d %s", got.Code, got.Body)
	}
}

// Another proxy is told no, and its client where to go.
func TestRequire_ForwardAuth(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, "http:// {\n\tgatehouse_forward_auth {\n\t\tproxy "+name+"\n\t\thosts app.corp.test\n\t\trequire max_age 10m\n\t}\n}\n")
		fresh, old := r.secureSignIn("app.corp.test"), r.signIn("app.corp.test", func(c *identity.Claims) { c.AuthTime = time.Now().Add(-time.Hour) })
		old.Name = "__Host-gatehouse"
		if got := r.do(asks(name, "GET", "/x", fresh)); got.Code != http.StatusOK || got.Header().Get("Remote-User") != "alice" {
			t.Errorf("%s: %d %v", name, got.Code, got.Header())
		}
		if got := r.do(asks(name, "GET", "/x", old)); got.Code != http.StatusUnauthorized || got.Header().Get("Remote-User") != "" {
			t.Errorf("%s: a sign-in of an hour ago: %d %v", name, got.Code, got.Header())
		}
	}
}

// What nobody could meet is refused at load.
func TestRequire_OfPasswords(t *testing.T) {
	for lines, want := range map[string]string{
		aliceLocal:                 "require acr lets nobody in: provider local reports no acr",
		aliceLocal + ssoWithClaims: "",
	} {
		_, err := provision(t, config(t, t.TempDir(), lines, "http://app.example.com {\n\tgatehouse {\n\t\trequire acr gold\n\t}\n}"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
