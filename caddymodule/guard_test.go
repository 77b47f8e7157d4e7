package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// echo answers with the headers and placeholders that the app behind a guard
// would see.
const echo = "\ttemplates\n\trespond `{{range $n, $v := .Req.Header}}{{range $v}}{{ $n }}: {{.}}\n{{end}}{{end}}id={http.auth.user.id} email={http.auth.user.email} name={http.auth.user.name} groups={http.auth.user.groups} provider={http.auth.user.provider}`\n"

func wantStatus(t *testing.T, rec *httptest.ResponseRecorder, status int) {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("status %d, want %d: %v\n%s", rec.Code, status, rec.Header(), rec.Body)
	}
}

func TestGuard_AsksStrangersToSignIn(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	rec := r.do(navigation("http://app.example.com/reports?year=2026"))
	wantStatus(t, rec, http.StatusSeeOther)
	if got, want := rec.Header().Get("Location"), "/.gatehouse/login?return_to=%2Freports%3Fyear%3D2026"; got != want {
		t.Errorf("leads to %s, want %s", got, want)
	}
	rec = r.do(get("http://app.example.com/api"))
	wantStatus(t, rec, http.StatusUnauthorized)
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a program gets %s", got)
	}
}

func TestGuard_TellsTheUpstreamWhoItIs(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	req := get("http://app.example.com/", r.signIn("app.example.com", nil))
	req.AddCookie(&http.Cookie{Name: "theirs", Value: "kept"})
	for name, value := range map[string]string{
		"Remote-User": "mallory", "remote_user": "mallory", "REMOTE.GROUPS": "mallory", "Remote_Email": "mallory",
		"Connection": "keep-alive, Remote-User", "X-Other": "kept",
	} {
		req.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	rec := r.do(req)
	wantStatus(t, rec, http.StatusOK)
	body := rec.Body.String()
	for _, want := range []string{
		"Remote-User: alice\n", "Remote-Email: alice@example.com\n", "Remote-Name: Alice Liddell\n", "Remote-Groups: staff\n",
		"Cookie: theirs=kept\n", "X-Other: kept\n", "Connection: keep-alive\n",
		"id=alice email=alice@example.com name=Alice Liddell groups=staff provider=local",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the upstream does not see %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "mallory") || strings.Contains(body, "gts_") {
		t.Errorf("the upstream sees what it must not:\n%s", body)
	}
}

func TestGuard_MatcherDecidesWhoMustSignIn(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /admin/*\n"+echo+"}")
	req := get("http://app.example.com/public")
	req.Header.Set("Remote-User", "mallory")
	req.AddCookie(&http.Cookie{Name: "gatehouse", Value: "gts_x"})
	rec := r.do(req)
	wantStatus(t, rec, http.StatusOK)
	if strings.Contains(rec.Body.String(), "mallory") || strings.Contains(rec.Body.String(), "gts_") {
		t.Errorf("an open path lets through what a client says:\n%s", rec.Body)
	}
	wantStatus(t, r.do(get("http://app.example.com/admin/x")), http.StatusUnauthorized)
	wantStatus(t, r.do(navigation("http://app.example.com/.gatehouse/logout")), http.StatusOK)
	wantStatus(t, r.do(get("http://app.example.com/admin/x", r.signIn("app.example.com", nil))), http.StatusOK)
}

func TestGuard_SeveralOnOneRequestMustAllAllow(t *testing.T) {
	r := serve(t, aliceLocal+"policy staff {\n\tallow group staff\n}\npolicy admins {\n\tallow group admins\n}\n",
		"http://app.example.com {\n\tgatehouse /admin/* admins\n\tgatehouse /staff/* staff\n\tgatehouse /all/*\n"+
			"\tgatehouse /admin/deep/* {\n\t\tallow user alice\n\t}\n"+echo+"}")
	alice := r.signIn("app.example.com", nil)
	for path, want := range map[string]int{
		"/admin/deep/x": http.StatusForbidden,
		"/admin/x":      http.StatusForbidden,
		"/staff/x":      http.StatusOK,
		"/all/x":        http.StatusOK,
		"/open":         http.StatusOK,
	} {
		rec := r.do(get("http://app.example.com"+path, alice))
		if rec.Code != want {
			t.Errorf("%s: status %d, want %d", path, rec.Code, want)
		}
		if want == http.StatusOK && path != "/open" && !strings.Contains(rec.Body.String(), "Remote-User: alice\n") {
			t.Errorf("%s: the upstream does not see alice:\n%s", path, rec.Body)
		}
		if strings.Contains(rec.Body.String(), "gts_") {
			t.Errorf("%s: the upstream sees our cookie", path)
		}
	}
}

func TestGuard_SecondGuardAppliesItsOwnPolicy(t *testing.T) {
	r := serve(t, aliceLocal+"policy staff {\n\tallow group staff\n}\npolicy admins {\n\tallow group admins\n}\n",
		"http://app.example.com {\n\tgatehouse staff\n\tgatehouse /admin/* admins\n"+echo+"}")
	alice := r.signIn("app.example.com", nil)
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusOK)
	wantStatus(t, r.do(get("http://app.example.com/admin/", alice)), http.StatusForbidden)
}

func TestGuard_RefusalNamesTheCandidate(t *testing.T) {
	r := serve(t, aliceLocal+"policy admins {\n\tallow group admins\n}\n",
		"http://app.example.com {\n\theader +X-Who {http.auth.candidate.id} {\n\t\tdefer\n\t}\n\tgatehouse admins\n"+echo+"}")
	rec := r.do(get("http://app.example.com/", r.signIn("app.example.com", nil)))
	wantStatus(t, rec, http.StatusForbidden)
	if got := rec.Header().Get("X-Who"); got != "alice" {
		t.Errorf("the placeholder is %q, want alice", got)
	}
}

func TestGuard_OwnEndpointsAreFoundByTheOriginalURI(t *testing.T) {
	sites := map[string]string{
		"rewrite":   "\trewrite * /index.php\n\tgatehouse\n",
		"try_files": "\troot /nonexistent\n\ttry_files {path} /index.html\n\tgatehouse\n",
		"uri":       "\turi strip_prefix /.gatehouse\n\tgatehouse\n",
		"route":     "\troute {\n\t\trewrite * /x\n\t\tgatehouse\n\t}\n",
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			r := serve(t, aliceLocal, "http://app.example.com {\n"+site+echo+"}")
			rec := r.do(navigation("http://app.example.com/.gatehouse/logout"))
			wantStatus(t, rec, http.StatusOK)
			rec = r.do(navigation("http://app.example.com/deep/page?q=1"))
			wantStatus(t, rec, http.StatusSeeOther)
			if got, want := rec.Header().Get("Location"), "/.gatehouse/login?return_to=%2Fdeep%2Fpage%3Fq%3D1"; got != want {
				t.Errorf("leads to %s, want %s", got, want)
			}
		})
	}
}

func TestGuard_RefusesAHostThatIsNotTheSites(t *testing.T) {
	r := serve(t, aliceLocal, "http://:80 {\n\tgatehouse {\n\t\thosts app.example.com *.apps.example.com\n\t}\n"+echo+"}")
	for host, want := range map[string]int{
		"app.example.com": http.StatusSeeOther, "APP.example.com": http.StatusSeeOther, "app.example.com:8080": http.StatusSeeOther,
		"one.apps.example.com": http.StatusSeeOther, "evil.example": http.StatusMisdirectedRequest,
		"apps.example.com": http.StatusMisdirectedRequest, "a.b.apps.example.com": http.StatusMisdirectedRequest,
		"app.example.com.": http.StatusMisdirectedRequest, ".apps.example.com": http.StatusMisdirectedRequest,
	} {
		req := navigation("http://app.example.com/")
		req.Host = host
		if rec := r.do(req); rec.Code != want {
			t.Errorf("host %q: status %d, want %d", host, rec.Code, want)
		}
	}
}

// To Caddy a wildcard stands for any label, whatever its characters are.
func TestGuard_AWildcardStandsForHostNamesOnly(t *testing.T) {
	r := serve(t, aliceLocal, "http://*.wild.example.com {\n\tgatehouse\n"+echo+"}\nhttp://app.example.com. {\n\tgatehouse\n"+echo+"}")
	for host, want := range map[string]int{
		"one.wild.example.com": http.StatusSeeOther, "my_app.wild.example.com": http.StatusSeeOther,
		`"onx.wild.example.com`: http.StatusMisdirectedRequest, "<b>.wild.example.com": http.StatusMisdirectedRequest,
		"a．b.wild.example.com": http.StatusMisdirectedRequest, "[one.wild.example.com]": http.StatusMisdirectedRequest,
		"-.wild.example.com": http.StatusMisdirectedRequest, "a,b.wild.example.com": http.StatusMisdirectedRequest,
		"app.example.com.": http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/", "/.gatehouse/login", "/.well-known/oauth-protected-resource"} {
			req := navigation("http://app.example.com" + path)
			req.Host = host
			rec := r.do(req)
			if want == http.StatusMisdirectedRequest && rec.Code != want && rec.Code != http.StatusBadRequest || want != http.StatusMisdirectedRequest && rec.Code >= 400 {
				t.Errorf("host %q, %s: status %d, want %d", host, path, rec.Code, want)
			}
		}
	}
}

func TestGuard_ASessionIsGoodAtItsOwnHostOnly(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com, http://wiki.example.com {\n\tgatehouse\n"+echo+"}")
	alice := r.signIn("app.example.com", nil)
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusOK)
	wantStatus(t, r.do(get("http://app.example.com:8080/", alice)), http.StatusOK)
	wantStatus(t, r.do(get("http://wiki.example.com/", alice)), http.StatusUnauthorized)
}

func TestGuard_BelievesATrustedProxyAboutTheScheme(t *testing.T) {
	site := "http://app.example.com {\n\tgatehouse\n" + echo + "}"
	r := serve(t, aliceLocal, site)
	req := get("http://app.example.com/", r.signIn("app.example.com", nil))
	req.Header.Set("X-Forwarded-Proto", "https")
	wantStatus(t, r.do(req), http.StatusOK) // a stranger's word: still http, so the http cookie counts

	dir := t.TempDir()
	raw := strings.Replace(string(config(t, dir, aliceLocal, site)), `"listen"`,
		`"trusted_proxies": {"source": "static", "ranges": ["192.0.2.0/24"]}, "listen"`, 1)
	trusting, err := start(t, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(trusting.stop)
	cookie := trusting.signIn("app.example.com", nil)
	req = get("http://app.example.com/", cookie) // httptest's address is 192.0.2.1
	req.Header.Set("X-Forwarded-Proto", "https")
	wantStatus(t, trusting.do(req), http.StatusUnauthorized)
	req.Header.Set("Cookie", "__Host-gatehouse="+cookie.Value)
	wantStatus(t, trusting.do(req), http.StatusOK)
}

func TestGuard_NamesOfTheHeadersAreAnOption(t *testing.T) {
	r := serve(t, aliceLocal+"headers {\n\tuser X-Auth-User\n\tgroups off\n}\n", "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	req := get("http://app.example.com/", r.signIn("app.example.com", nil))
	for _, name := range []string{"X-Auth-User", "X_auth.user", "Remote-User", "Remote-Groups"} {
		req.Header.Set(name, "mallory")
	}
	body := r.do(req).Body.String()
	if !strings.Contains(body, "X-Auth-User: alice\n") || strings.Contains(body, "Remote-User") ||
		strings.Contains(body, "Remote-Groups") || strings.Contains(body, "mallory") {
		t.Errorf("the upstream sees\n%s", body)
	}
}

func TestGuard_UserDataIsNeverExpanded(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_SECRET", "leaked")
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	current := r.app.settings()
	current.Current = nil // whatever a provider says about the name
	r.app.shared.sessions.Configure(current)
	body := r.do(get("http://app.example.com/", r.signIn("app.example.com", func(c *identity.Claims) {
		c.Name = "{env.GATEHOUSE_TEST_SECRET}"
	}))).Body.String()
	if strings.Contains(body, "leaked") {
		t.Errorf("a name was expanded:\n%s", body)
	}
}

func TestGuard_ReadsARequestTargetInAbsoluteForm(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	req := navigation("http://app.example.com/.gatehouse/logout")
	req.RequestURI = "http://app.example.com/.gatehouse/logout"
	wantStatus(t, r.do(req), http.StatusOK)
	req = navigation("http://app.example.com/x?y=1")
	req.RequestURI = "http://app.example.com/x?y=1"
	rec := r.do(req)
	wantStatus(t, rec, http.StatusSeeOther)
	if got, want := rec.Header().Get("Location"), "/.gatehouse/login?return_to=%2Fx%3Fy%3D1"; got != want {
		t.Errorf("leads to %s, want %s", got, want)
	}
}

// TestHost_WithATrailingDot: `app.example.com.` is another origin to browsers, and the
// same name to DNS. It has no session, no sign-in, no redirect and no issuer, so that
// nothing of it can stand in for the site's (curl's CVE-2022-42916 is about such names).
func TestHost_WithATrailingDot(t *testing.T) {
	sites := map[string]string{
		"exact":         "http://app.example.com, http://app.example.com. {\n\tgatehouse\n" + echo + "}\n",
		"wildcard":      "http://*.example.com, http://*.example.com. {\n\tgatehouse\n" + echo + "}\n",
		"any host":      "http:// {\n\tgatehouse {\n\t\thosts app.example.com\n\t}\n" + echo + "}\n",
		"an exact name": "http://app.example.com {\n\tgatehouse\n" + echo + "}\n",
	}
	portal := "http://auth.example.com, http://auth.example.com. {\n\tgatehouse_portal\n}\n"
	for name, site := range sites {
		for _, issuer := range []string{"", "issuer http://auth.example.com\n"} {
			t.Run(name+", "+issuer, func(t *testing.T) {
				r := serve(t, issuer+aliceLocal+"client app {\nsecret a-secret-that-is-long-enough\nredirect_uri https://client.example.com/cb\n}\n", map[bool]string{true: site + portal, false: site}[issuer != "" && name != "any host"])
				alice := r.signIn("app.example.com", nil)
				wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusOK)
				for _, path := range []string{
					"/", "/.gatehouse/login?return_to=%2F", "/.gatehouse/logout", "/.gatehouse/jwks.json", "/.gatehouse/callback?code=x&state=y",
					"/.gatehouse/callback/local?code=x&state=y", "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource",
				} {
					for _, host := range []string{"app.example.com.", "APP.EXAMPLE.COM.", "app.example.com.:80", "app.example.com..", "auth.example.com."} {
						req := navigation("http://app.example.com" + path)
						req.AddCookie(alice)
						req.Host = host
						rec := r.do(req)
						switch {
						case rec.Code == http.StatusOK && rec.Body.Len() == 0 && len(rec.Result().Cookies()) == 0: // Caddy's, to a name that no site has
						case rec.Code != http.StatusMisdirectedRequest && rec.Code != http.StatusBadRequest:
							t.Errorf("host %s, %s: %d\n%s", host, path, rec.Code, rec.Body)
						}
						if to := rec.Header().Get("Location"); to != "" || len(rec.Result().Cookies()) > 0 || strings.Contains(rec.Body.String(), "alice") {
							t.Errorf("host %s, %s: leads to %q, with the cookies %v:\n%s", host, path, to, rec.Result().Cookies(), rec.Body)
						}
					}
				}
			})
		}
	}
}

// A name with a trailing dot cannot be written where it would be compared.
func TestHost_WithATrailingDotIsRefusedAtLoad(t *testing.T) {
	for lines, fault := range map[string]string{
		"issuer https://auth.example.com.":                                                      "its host ends in a dot",
		"issuer https://auth.example.com\nsite https://app.example.com.":                        "dot",
		"client app {\nsecret a-secret-that-is-long-enough\nredirect_uri https://c.test./cb\n}": "",
	} {
		text := "{\n\tgatehouse {\n" + lines + "\n" + aliceLocal + "}\n}\napp.example.com {\n\tgatehouse\n}\n"
		_, err := adapt(text)
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("%s: %v, want %q", lines, err, fault)
		}
	}
}
