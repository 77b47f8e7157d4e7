package caddymodule

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

func serveExplained(t *testing.T) *running {
	t.Helper()
	return serve(t, aliceLocal+ssoWithClaims+"policy lab {\n\tallow claim department physics provider sso\n\tallow user alice\n\tdeny group interns provider any\n}\npolicy admins {\n\tallow group admins provider any\n}\n",
		"http://app.example.com {\n\tgatehouse lab\n\tgatehouse /admin/* admins\n\tgatehouse /new/* admins {\n\t\tdry_run\n\t}\n\trespond here\n}")
}

// TestExplain: the command names the rule that lets in or keeps out, and what it found.
func TestExplain(t *testing.T) {
	r := serveExplained(t)
	r.signIn("app.example.com", withClaims(map[string]any{"department": "chemistry"}))
	address := adminServer(t)
	for name, tt := range map[string]struct {
		args []string
		want []string
		err  string
	}{
		"kept out": {[]string{"-u", "bob@example.com", "http://app.example.com/"}, []string{
			"bob@example.com of provider sso (signed in ", "): refused at http://app.example.com/\n",
			`a guard of app.example.com: refused: no rule of policy "lab" matches`,
			"    allow claim department physics provider sso\n      claim department is \"chemistry\"\n", "user is \"bob@example.com\"",
		}, ""},
		"let in": {[]string{"-u", "ALICE", "http://app.example.com/"}, []string{
			"alice of provider local (not signed in): allowed at", `allowed by rule of policy "lab": allow user alice`, "    allow user alice\n      matches\n",
		}, ""},
		"by another guard": {[]string{"-u", "alice", "http://app.example.com/admin/x?y"}, []string{
			"refused at", `refused: no rule of policy "admins" matches`, "group is \"staff\"",
		}, ""},
		"in another spelling": {[]string{"-u", "alice", "http://app.example.com/a/..%2fadmin/x"}, []string{"refused at", `policy "admins"`}, ""},
		"dry run":             {[]string{"-u", "alice", "http://app.example.com/new/"}, []string{"allowed at", `(dry_run): refused: no rule of policy "admins"`}, ""},
		"nobody":              {[]string{"-u", "carol", "http://app.example.com/"}, nil, `nobody called "carol" is signed in`},
		"no guard":            {[]string{"-u", "alice", "http://other.example.com/"}, nil, "no guard stands at other.example.com"},
		"no URL":              {[]string{"-u", "alice", "app.example.com"}, nil, "is not a URL of a guarded site"},
		"nothing":             {[]string{"-u", "alice"}, nil, "say at which URL"},
		"no user":             {[]string{"http://app.example.com/"}, nil, "say who"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := command(append([]string{"explain", "--address", address}, tt.args...)...)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			for _, part := range tt.want {
				if !strings.Contains(out, part) {
					t.Errorf("%q is not in\n%s", part, out)
				}
			}
		})
	}
}

// The command says what somebody still has to prove, and whose tokens open the place.
func TestExplain_RequirementsAndTokens(t *testing.T) {
	r := serve(t, aliceLocal+ssoWithClaims+"provider ci oidc https://ci.example.com {\n\taccept_tokens {\n\t\taudience https://app.example.com\n\t}\n}\n",
		"http://app.example.com {\n\tgatehouse {\n\t\tallow anyone\n\t\taccept_tokens ci\n\t}\n\tgatehouse /admin/* {\n\t\tallow anyone\n\t\trequire acr gold\n\t\trequire max_age 10m\n\t\trequire scope a:b\n\t}\n\trespond here\n}")
	r.signIn("app.example.com", raised("bronze", 0))
	address := adminServer(t)
	for _, tt := range []struct {
		raised func(*identity.Claims)
		path   string
		want   []string
		not    string
	}{
		{nil, "/", []string{"allowed at http", "tokens of provider ci are accepted for the audience https://app.example.com\n", "tokens of provider sso are not accepted: its block has no accept_tokens"}, "requires"},
		{nil, "/admin/x", []string{"allowed once they have proved more at", "requires acr gold, max_age 10m0s, scope a:b: not met, they are asked again: acr is bronze\n", "an access token needs the scope a:b"}, ""},
		{raised("gold", 11*time.Minute), "/admin/x", []string{"allowed once they have proved more at", "they authenticated 11m"}, "acr is"},
		{raised("gold", time.Minute), "/admin/x", []string{"allowed at http", "requires acr gold, max_age 10m0s, scope a:b: met\n"}, "asked again"},
	} {
		if tt.raised != nil {
			r.signIn("app.example.com", tt.raised)
		}
		out, _, err := command("explain", "--address", address, "-u", "bob@example.com", "http://app.example.com"+tt.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range tt.want {
			if !strings.Contains(out, part) {
				t.Errorf("%q is not in\n%s", part, out)
			}
		}
		if tt.not != "" && strings.Contains(out, tt.not) {
			t.Errorf("%q is in\n%s", tt.not, out)
		}
	}
	if _, _, err := command("explain", "--address", address, "-u", "job", "http://app.example.com/"); err == nil || !strings.Contains(err.Error(), "what a token of ci says is known while it is used") {
		t.Errorf("%v", err)
	}
}

// TestRefusal_LogNamesTheRule: a refusal says by which rule, and nothing of who is
// refused but the name.
func TestRefusal_LogNamesTheRule(t *testing.T) {
	r := serveExplained(t)
	bob := r.signIn("app.example.com", withClaims(map[string]any{"department": "chemistry"}))
	intern := r.signIn("app.example.com", ofSSO(func(c *identity.Claims) {
		c.ID, c.User, c.Groups, c.Extra = "2", "eve@example.com", []string{"interns"}, map[string]any{"department": "physics"}
	}))
	alice := r.signIn("app.example.com", nil)
	var log strings.Builder
	r.app.logger = slog.New(slog.NewTextHandler(&log, nil))
	for _, tt := range []struct {
		cookie *http.Cookie
		path   string
		code   int
		want   string
	}{
		{bob, "/x?secret", 403, `refused: no rule of policy "lab" matches`},
		{intern, "/", 403, `refused by rule of policy "lab": deny group interns provider any`},
		{alice, "/admin/", 403, `refused: no rule of policy "admins" matches`},
		{alice, "/new/", 200, "a guard with dry_run would refuse a user"},
		{alice, "/", 200, ""},
	} {
		before := log.String()
		wantStatus(t, r.do(get("http://app.example.com"+tt.path, tt.cookie)), tt.code)
		line := strings.ReplaceAll(strings.TrimPrefix(log.String(), before), `\"`, `"`)
		if !strings.Contains(line, tt.want) || tt.want == "" && line != "" || strings.Contains(line, "chemistry") || strings.Contains(line, "secret") {
			t.Errorf("%s: the log says %q, want %q", tt.path, line, tt.want)
		}
	}
}

// TestDryRun_IsNeverAboutAuthentication: who is not signed in does not enter, and it
// is no word about who may enter.
func TestDryRun_IsNeverAboutAuthentication(t *testing.T) {
	r := serveExplained(t)
	wantStatus(t, r.do(get("http://app.example.com/new/")), http.StatusUnauthorized)
	_, err := adapt("{\n\tgatehouse {\n\t\tprovider github {\n\t\t\tclient_id x\n\t\t\tclient_secret {env.S}\n\t\t}\n\t\tpolicy a {\n\t\t\tallow user a\n\t\t}\n\t}\n}\n" +
		"app.example.com {\n\tgatehouse a {\n\t\tdry_run\n\t}\n}\n")
	if err == nil || !strings.Contains(err.Error(), "anybody can open an account") {
		t.Errorf("a guard that only rehearses its rules lets in everybody of GitHub: %v", err)
	}
}

// TestRefusal_LogNamesTheSite: of a guard, and of forward auth in front of an application
// elsewhere, the line names the site, the path, the user and the rule (traefik-forward-auth
// and authelia are asked about "403 and nothing in the log" again and again).
func TestRefusal_LogNamesTheSite(t *testing.T) {
	rules := "policy admins {\n\tallow group admins\n}\n"
	for _, name := range append([]string{"guard"}, allDialects...) {
		site := "http://app.corp.test {\n\tgatehouse admins\n\trespond here\n}\n"
		if name != "guard" {
			site = strings.NewReplacer("/private/* {", "/private/* admins {", "PROXY", name).Replace(gate)
		}
		r := trusting(t, aliceLocal+rules, site)
		log := r.lines()
		req := get("http://app.corp.test/private/x?secret", r.signIn("app.corp.test", nil))
		if name != "guard" {
			req = asks(name, http.MethodGet, "/private/x?secret", r.secureSignIn("app.corp.test"))
		}
		// auth_request and its kin show a page of ours for 401 alone.
		if rec := r.do(req); rec.Code != http.StatusForbidden && (rec.Code != http.StatusUnauthorized || name == "guard") {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		for _, field := range []string{"a guard refused a user", "user=alice", "provider=local", "host=app.corp.test", "path=/private/x", `no rule of policy \"admins\" matches`, "cure="} {
			if !strings.Contains(log(), field) {
				t.Errorf("%s: the log does not say %s:\n%s", name, field, log())
			}
		}
		if strings.Contains(log(), "secret") {
			t.Errorf("%s: the log holds the query:\n%s", name, log())
		}
	}
}
