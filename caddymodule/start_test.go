package caddymodule

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestStart_WhereAGuardMayStand(t *testing.T) {
	const policies = "policy staff {\n\tallow group staff\n}\n"
	tests := map[string]struct {
		site string
		want string // in the error; "" for none
	}{
		"top":                     {"http://app.example.com {\n\tgatehouse\n}", ""},
		"route":                   {"http://app.example.com {\n\troute {\n\t\tgatehouse\n\t}\n}", ""},
		"matcher":                 {"http://app.example.com {\n\tgatehouse /admin/* staff\n}", ""},
		"handle":                  {"http://app.example.com {\n\thandle {\n\t\tgatehouse\n\t}\n}", ""},
		"handle by host":          {"http://*.example.com {\n\t@app host app.example.com\n\thandle @app {\n\t\tgatehouse\n\t}\n}", ""},
		"handle everything":       {"http://app.example.com {\n\thandle /* {\n\t\tgatehouse\n\t}\n}", ""},
		"handle not path":         {"http://app.example.com {\n\t@app not path /api/*\n\thandle @app {\n\t\tgatehouse\n\t}\n}", ""},
		"handle by address":       {"http://app.example.com {\n\t@out not remote_ip 10.0.0.0/8\n\thandle @out {\n\t\tgatehouse\n\t}\n}", ""},
		"behind try_files":        {"http://app.example.com {\n\ttry_files {path} /index.html\n\tgatehouse\n}", ""},
		"port with hosts":         {"http://:8080 {\n\tgatehouse {\n\t\thosts app.example.com\n\t}\n}", ""},
		"named route":             {"&(g) {\n\tgatehouse\n}\nhttp://app.example.com {\n\tinvoke g\n}", ""},
		"handle path":             {"http://app.example.com {\n\thandle /admin/* {\n\t\tgatehouse staff\n\t}\n}", "site app.example.com: a gatehouse guard stands inside a route for the path /admin/*"},
		"says what to write":      {"http://app.example.com {\n\thandle /admin/* {\n\t\tgatehouse staff\n\t}\n}", "gatehouse /admin/* staff"},
		"handle_path":             {"http://app.example.com {\n\thandle_path /admin/* {\n\t\tgatehouse\n\t}\n}", "gatehouse /admin/*"},
		"route path":              {"http://app.example.com {\n\troute /admin/* {\n\t\tgatehouse\n\t}\n}", "site app.example.com"},
		"nested":                  {"http://app.example.com {\n\thandle {\n\t\thandle /x/* {\n\t\t\tgatehouse\n\t\t}\n\t}\n}", "path /x/*"},
		"named route in a handle": {"&(g) {\n\tgatehouse\n}\nhttp://app.example.com {\n\thandle /x/* {\n\t\tinvoke g\n\t}\n}", "path /x/*"},
		"method":                  {"http://app.example.com {\n\t@get method GET\n\thandle @get {\n\t\tgatehouse\n\t}\n}", "matcher method"},
		"expression":              {"http://app.example.com {\n\t@x expression path('/x/*')\n\thandle @x {\n\t\tgatehouse\n\t}\n}", "matcher expression"},
		"not our path":            {"http://app.example.com {\n\t@x not path /.gatehouse/*\n\thandle @x {\n\t\tgatehouse\n\t}\n}", "matcher not"},
		"one host of two":         {"http://a.example.com {\n\tgatehouse\n}\nhttp://b.example.com {\n\thandle /x/* {\n\t\tgatehouse\n\t}\n}", "site b.example.com"},
		"port alone":              {"http://:8080 {\n\tgatehouse\n}", "has no host name"},
		"handle before it":        {"http://app.example.com {\n\thandle /.gatehouse/* {\n\t\trespond 404\n\t}\n\thandle {\n\t\tgatehouse staff\n\t}\n}", "site app.example.com: a route for the path /.gatehouse/* answers /.gatehouse/login before the gatehouse guard"},
		"handle before it: fix":   {"http://app.example.com {\n\thandle /.gatehouse/* {\n\t\trespond 404\n\t}\n\thandle {\n\t\tgatehouse staff\n\t}\n}", "at the top of the site, outside of handle and route: gatehouse staff"},
		"hidden files":            {"http://app.example.com {\n\t@hidden path /.*\n\thandle @hidden {\n\t\terror 404\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", "the path /.*"},
		"the login alone":         {"http://app.example.com {\n\thandle /.gatehouse/login {\n\t\treverse_proxy 127.0.0.1:9\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", "/.gatehouse/login"},
		"all but some before it":  {"http://app.example.com {\n\t@open not path /admin/*\n\thandle @open {\n\t\tfile_server\n\t}\n\troute {\n\t\tgatehouse /admin/*\n\t}\n}", "answers /.gatehouse/login"},
		"redirect of ours":        {"http://app.example.com {\n\tredir /.gatehouse/* https://sso.example.com\n\tgatehouse\n}", "answers /.gatehouse/login"},
		"one name of two":         {"http://a.example.com, http://b.example.com {\n\t@b {\n\t\thost b.example.com\n\t\tpath /.gatehouse/*\n\t}\n\thandle @b {\n\t\trespond 404\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", "answers /.gatehouse/login"},
		"behind the upstream":     {"http://app.example.com {\n\troute {\n\t\treverse_proxy 127.0.0.1:9\n\t\tgatehouse\n\t}\n}", "the handler reverse_proxy answers every request before the gatehouse guard, so nothing is guarded"},
		"behind a respond":        {"http://app.example.com {\n\troute {\n\t\trespond open\n\t\tgatehouse\n\t}\n}", "nothing is guarded"},
		"behind a handle for all": {"http://app.example.com {\n\thandle /* {\n\t\tfile_server\n\t}\n\troute {\n\t\tgatehouse\n\t}\n}", "nothing is guarded"},
		"second behind upstream":  {"http://app.example.com {\n\troute {\n\t\tgatehouse\n\t\treverse_proxy 127.0.0.1:9\n\t\tgatehouse /admin/* staff\n\t}\n}", "nothing is guarded"},
		"handles before it":       {"http://app.example.com {\n\thandle /static/* {\n\t\tfile_server\n\t}\n\thandle_path /api/* {\n\t\trespond api\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", ""},
		"a guard before that":     {"http://app.example.com {\n\tgatehouse\n\thandle /.gatehouse/* {\n\t\trespond 404\n\t}\n\thandle {\n\t\tgatehouse staff\n\t}\n}", ""},
		"hidden files, ours not":  {"http://app.example.com {\n\t@hidden {\n\t\tpath /.*\n\t\tnot path /.gatehouse/* /.well-known/*\n\t}\n\thandle @hidden {\n\t\terror 404\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", ""},
		"one name is open":        {"http://a.example.com, http://b.example.com {\n\t@a host a.example.com\n\thandle @a {\n\t\trespond open\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", ""},
		"one of many is open":     {"http://*.example.com {\n\t@a host a.example.com\n\thandle @a {\n\t\trespond open\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}\nhttp://x.example.com {\n\trespond open\n}", ""},
		"some addresses":          {"http://app.example.com {\n\t@in remote_ip 10.0.0.0/8\n\thandle @in {\n\t\trespond open\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", ""},
		"files that are there":    {"http://app.example.com {\n\troot /nonexistent\n\t@there file\n\thandle @there {\n\t\tfile_server\n\t}\n\thandle {\n\t\tgatehouse\n\t}\n}", ""},
		"pass_thru":               {"http://app.example.com {\n\troute {\n\t\tfile_server {\n\t\t\tpass_thru\n\t\t}\n\t\tgatehouse\n\t}\n}", ""},
		"behind forward_auth":     {"http://app.example.com {\n\troute {\n\t\tforward_auth 127.0.0.1:9 {\n\t\t\turi /\n\t\t}\n\t\tgatehouse\n\t}\n}", ""},
		"rewritten before":        {"http://app.example.com {\n\troute {\n\t\trewrite * /x\n\t\trespond /.gatehouse/* 404\n\t\tgatehouse\n\t}\n}", ""},
		"everything has moved":    {"http://app.example.com {\n\tredir https://new.example.com{uri}\n\tgatehouse\n}", ""},
		"a name has moved":        {"http://a.example.com, http://b.example.com {\n\t@a host a.example.com\n\tredir @a https://b.example.com{uri}\n\tgatehouse\n}", ""},
		"in handle_errors":        {"http://app.example.com {\n\tgatehouse\n\treverse_proxy 127.0.0.1:9\n\thandle_errors {\n\t\tgatehouse staff\n\t}\n}", ""},
		"host in a port's site":   {"http://:8080 {\n\t@app host app.example.com\n\thandle @app {\n\t\tgatehouse\n\t}\n}", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := start(t, config(t, t.TempDir(), aliceLocal+policies, tt.site))
			if err == nil {
				defer r.stop()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && err == nil:
				t.Errorf("started, want an error that contains %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error is %q, want it to contain %q", err, tt.want)
			}
		})
	}
}

func TestProvision_SaysWhatIsWrong(t *testing.T) {
	const site = "http://app.example.com {\n\tgatehouse\n}"
	t.Setenv("GATEHOUSE_TEST_EMPTY", "")
	t.Setenv("GATEHOUSE_TEST_SHORT", "auth.example")
	t.Setenv("GATEHOUSE_TEST_URL", "postgres://127.0.0.1:1/x")
	t.Setenv("GATEHOUSE_TEST_PLAIN", "http://sso.example.com")
	t.Setenv("GATEHOUSE_TEST_CAPITALS", "HTTPS://sso.example.com")
	for name, tt := range map[string]struct{ lines, want string }{
		"empty database address": {aliceLocal + "secret 0123456789abcdef\ntoken_store postgres {env.GATEHOUSE_TEST_EMPTY}", "token_store postgres: environment variable not set or empty: GATEHOUSE_TEST_EMPTY"},
		"empty redis address":    {aliceLocal + "secret 0123456789abcdef\ncache redis {env.GATEHOUSE_TEST_EMPTY}", "cache redis: environment variable not set or empty: GATEHOUSE_TEST_EMPTY"},
		"empty secret":           {aliceLocal + "secret {env.GATEHOUSE_TEST_EMPTY}", "secret: environment variable not set or empty: GATEHOUSE_TEST_EMPTY"},
		"unset secret":           {aliceLocal + "secret {env.GATEHOUSE_TEST_UNSET}", "secret: "},
		"short secret":           {aliceLocal + "secret {env.GATEHOUSE_TEST_SHORT}", "at least 16 are needed; make one: openssl rand -base64 32"},
		"shared without secret":  {aliceLocal + "token_store postgres {env.GATEHOUSE_TEST_URL}", "all need the same secret"},
		"shared cache":           {aliceLocal + "cache redis redis://127.0.0.1:1/0", "all need the same secret"},
		"empty client secret":    {"provider corp oidc https://sso.example.com {\n\tclient_id x\n\tclient_secret {env.GATEHOUSE_TEST_EMPTY}\n}", "provider corp: "},
		"issuer over http":       {"provider corp oidc {env.GATEHOUSE_TEST_PLAIN} {\n\tclient_id x\n\tclient_secret {env.GATEHOUSE_TEST_URL}\n}", "must be an https URL"},
		"issuer in capitals":     {"provider corp oidc {env.GATEHOUSE_TEST_CAPITALS} {\n\tclient_id x\n}", "write https://sso.example.com"},
		"issuer is no URL":       {aliceLocal + "issuer {env.GATEHOUSE_TEST_SHORT}", "is not a URL such as https://auth.example.com"},
		"same issuer twice":      {"provider a oidc https://sso.example.com {\n\tclient_id x\n}\nprovider b oidc https://sso.example.com {\n\tclient_id y\n}", "has the same issuer as provider a"},
		"no provider":            {"serve_stale 5m", "no provider"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provision(t, config(t, t.TempDir(), tt.lines, site))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want it to contain %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "0123456789abcdef") {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
}

func TestStart_OpenProviderNeedsARuleOnEveryGuard(t *testing.T) {
	const google = "provider google {\n\tclient_id x\n\tclient_secret {env.HOME}\n}\npolicy staff {\n\tallow domain example.com\n}\n"
	r := serve(t, google, "http://app.example.com {\n\tgatehouse staff\n}")
	if r.app.gateway.Load() == nil {
		t.Fatal("not running")
	}
	_, err := start(t, config(t, t.TempDir(), "issuer https://auth.example.com\n"+google, "http://auth.example.com {\n\tgatehouse_portal\n}"))
	if err == nil || !strings.Contains(err.Error(), "one of three ways") {
		t.Errorf("a portal alone at an open provider: %v", err)
	}
}

func TestProvision_OpensNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := provision(t, config(t, dir, aliceLocal, "http://app.example.com {\n\tgatehouse\n}")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("provisioning wrote %v (%v)", entries, err)
	}
	before := poolSize()
	if _, err := provision(t, config(t, dir, aliceLocal+"secret 0123456789abcdef\ntoken_store postgres postgres://192.0.2.1/x\ncache redis redis://192.0.2.1:1/0",
		"http://app.example.com {\n\tgatehouse\n}")); err != nil {
		t.Fatal(err)
	}
	if poolSize() != before {
		t.Error("provisioning opened stores")
	}
}

func poolSize() int {
	n := 0
	pool.Range(func(any, any) bool { n++; return true })
	return n
}

func TestReload_KeepsStoresAndSessions(t *testing.T) {
	dir := t.TempDir()
	raw := config(t, dir, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	first, err := start(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	alice := first.signIn("app.example.com", nil)
	second, err := start(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	if first.app.shared != second.app.shared {
		t.Error("a reload opened the stores again")
	}
	first.stop()
	wantStatus(t, second.do(get("http://app.example.com/", alice)), http.StatusOK)
	second.stop()
	if poolSize() != 0 {
		t.Errorf("%d entries remain in the pool", poolSize())
	}
	third, err := start(t, raw) // a restart signs nobody out
	if err != nil {
		t.Fatal(err)
	}
	defer third.stop()
	wantStatus(t, third.do(get("http://app.example.com/", alice)), http.StatusOK)
}

func TestReload_RemovedUserIsOut(t *testing.T) {
	dir := t.TempDir()
	site := "http://app.example.com {\n\tgatehouse {\n\t\tallow group staff\n\t}\n" + echo + "}"
	first, err := start(t, config(t, dir, aliceLocal, site))
	if err != nil {
		t.Fatal(err)
	}
	alice := first.signIn("app.example.com", nil)
	wantStatus(t, first.do(get("http://app.example.com/", alice)), http.StatusOK)
	second, err := start(t, config(t, dir, strings.Replace(aliceLocal, "groups staff", "groups other", 1), site))
	if err != nil {
		t.Fatal(err)
	}
	first.stop()
	wantStatus(t, second.do(get("http://app.example.com/", alice)), http.StatusForbidden)
	third, err := start(t, config(t, dir, strings.Replace(aliceLocal, "user alice", "user bob", 1), site))
	if err != nil {
		t.Fatal(err)
	}
	defer third.stop()
	second.stop()
	wantStatus(t, third.do(get("http://app.example.com/", alice)), http.StatusUnauthorized)
}

func TestFailedReload_KeepsTheRunningSettings(t *testing.T) {
	dir := t.TempDir()
	site := "http://app.example.com {\n\tgatehouse\n" + echo + "}"
	good, err := start(t, config(t, dir, aliceLocal, site))
	if err != nil {
		t.Fatal(err)
	}
	defer good.stop()
	alice := good.signIn("app.example.com", nil)
	bob := config(t, dir, strings.Replace(aliceLocal, "user alice", "user bob", 1), site)
	bad, err := begin(t, bob)
	if err != nil {
		t.Fatal(err)
	}
	bad.stop() // as Caddy does when another app fails to start
	if runningApp() != good.app {
		t.Error("the app that runs on is not the published one")
	}
	wantStatus(t, good.do(get("http://app.example.com/", alice)), http.StatusOK)
}

func TestLateFailure_GivesTheSettingsBack(t *testing.T) {
	dir := t.TempDir()
	site := "http://app.example.com {\n\tgatehouse\n" + echo + "}"
	good, err := start(t, config(t, dir, aliceLocal, site))
	if err != nil {
		t.Fatal(err)
	}
	defer good.stop()
	bad, err := start(t, config(t, dir, strings.Replace(aliceLocal, "user alice", "user bob", 1), site))
	if err != nil {
		t.Fatal(err)
	}
	if runningApp() != bad.app {
		t.Error("the newest app is not the published one")
	}
	bad.stop()
	if runningApp() != good.app {
		t.Error("the app that runs on is not the published one")
	}
	wantStatus(t, good.do(get("http://app.example.com/", good.signIn("app.example.com", nil))), http.StatusOK)
}

func TestCleanup_AfterFailedProvisionReleasesNothing(t *testing.T) {
	dir := t.TempDir()
	site := "http://app.example.com {\n\tgatehouse\n" + echo + "}"
	r, err := start(t, config(t, dir, aliceLocal, site))
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	if _, err := provision(t, config(t, dir, aliceLocal+"secret {env.GATEHOUSE_TEST_UNSET}", site)); err == nil {
		t.Fatal("an unset secret was accepted")
	}
	alice := r.signIn("app.example.com", nil)
	wantStatus(t, r.do(get("http://app.example.com/", alice)), http.StatusOK)
}

func TestGeneratedSecret_IsKeptInCaddysStorage(t *testing.T) {
	dir := t.TempDir()
	raw := config(t, dir, aliceLocal, "http://app.example.com {\n\tgatehouse\n}")
	r, err := start(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	file := filepath.Join(dir, "gatehouse", "secret")
	first, err := os.ReadFile(file)
	if err != nil || len(first) < 32 {
		t.Fatalf("stored %q (%v)", first, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
	if r, err = start(t, raw); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if second, _ := os.ReadFile(file); !bytes.Equal(first, second) {
		t.Error("a second start made another secret")
	}
}

func TestStart_UnreachableStoreIsNoError(t *testing.T) {
	began := time.Now()
	r := serve(t, aliceLocal+"secret 0123456789abcdef\ntoken_store postgres postgres://127.0.0.1:1/x", "http://app.example.com {\n\tgatehouse\n}\nhttp://open.example.com {\n\trespond open\n}")
	if took := time.Since(began); took > firstMigration+20*time.Second { // not the minutes of a connection that is tried
		t.Errorf("starting took %s", took)
	}
	req := get("http://app.example.com/")
	wantStatus(t, r.do(req), http.StatusUnauthorized) // no cookie: nothing to ask the store for
	wantStatus(t, r.do(get("http://open.example.com/")), http.StatusOK)
	forged := get("http://app.example.com/", &http.Cookie{Name: "gatehouse", Value: "gts_" + strings.Repeat("A", 60)})
	wantStatus(t, r.do(forged), http.StatusUnauthorized)
}
