package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// whoami is what a handler makes of the placeholders.
const whoami = "[{http.auth.user.id}|{http.auth.user.groups}|{http.auth.user.claims.department}|{http.auth.candidate.id}]"

const (
	nobody     = "[|||]"
	aliceIsIn  = "[alice|staff||]"
	aliceIsOut = "[|||alice]"
)

// mirror is an app that answers with what it is told of the user.
func mirror(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", r.Header.Get("X-Who")+r.Header.Get("X-Early")+r.URL.Query().Get("who"))
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

// Radicale took `header_up X-Remote-User {http.auth.user.id}` of somebody who was
// not signed in for a user of that name, since Caddy leaves a placeholder as it is
// written that nothing answers for.
func TestPlaceholders_AreEmptyWhereNobodyIsSignedIn(t *testing.T) {
	app := mirror(t)
	sites := map[string]string{
		"header_up": "gatehouse /private/*\n\treverse_proxy " + app + " {\n\t\theader_up X-Who \"" + whoami + "\"\n\t}",
		"header":    "header X-Saw \"" + whoami + "\"\n\tgatehouse /private/*\n\trespond ok",
		"map":       "map {path} {who} {\n\t\tdefault \"" + whoami + "\"\n\t}\n\theader X-Saw {who}\n\tgatehouse /private/*\n\trespond ok",
		"vars":      "vars who \"" + whoami + "\"\n\theader X-Saw {vars.who}\n\tgatehouse /private/*\n\trespond ok",
		"rewrite":   "rewrite {path}?who=" + whoami + "\n\tgatehouse /private/*\n\treverse_proxy " + app,
		"early":     "route {\n\t\trequest_header X-Early \"" + whoami + "\"\n\t\tgatehouse /private/*\n\t\treverse_proxy " + app + "\n\t}",
		"handle":    "handle /open {\n\t\theader X-Saw \"" + whoami + "\"\n\t\trespond ok\n\t}\n\thandle {\n\t\tgatehouse\n\t\theader X-Saw \"" + whoami + "\"\n\t\trespond ok\n\t}",
		"several":   "route {\n\t\tgatehouse /private/*\n\t\tgatehouse /more/*\n\t\theader X-Saw \"" + whoami + "\"\n\t\trespond ok\n\t}",
		"nested":    "@any path *\n\thandle @any {\n\t\troute {\n\t\t\theader X-Saw \"" + whoami + "\"\n\t\t\tgatehouse /private/*\n\t\t\trespond ok\n\t\t}\n\t}",
	}
	var text strings.Builder
	for name, site := range sites {
		text.WriteString("http://" + name + ".example.com {\n\t" + site + "\n}\n")
	}
	r := serve(t, aliceLocal, text.String())
	for name := range sites {
		host := name + ".example.com"
		rec := r.do(get("http://" + host + "/open"))
		wantStatus(t, rec, http.StatusOK)
		if got := rec.Header().Get("X-Saw"); got != nobody {
			t.Errorf("%s: nobody is called %q", name, got)
		}
		// The placeholders of a guarded path where the guard came first.
		if name == "header_up" || name == "several" {
			rec := r.do(get("http://"+host+"/private/x", r.signIn(host, nil)))
			if got := rec.Header().Get("X-Saw"); got != aliceIsIn || rec.Code != http.StatusOK {
				t.Errorf("%s: alice is called %q (%d)", name, got, rec.Code)
			}
		}
		if rec := r.do(get("http://" + host + "/.gatehouse/nothing")); strings.Contains(rec.Header().Get("X-Saw"), "{") {
			t.Errorf("%s: an address of our own: %q", name, rec.Header().Get("X-Saw"))
		}
	}
}

// The routes that errors go through, and what is refused.
func TestPlaceholders_OfErrorsAndRefusals(t *testing.T) {
	errorPage := "\thandle_errors {\n\t\theader X-Saw \"" + whoami + "\"\n\t\trespond {err.status_code}\n\t}\n"
	r := serve(t, aliceLocal+"policy wheel {\n\tallow group wheel\n}\n",
		"http://early.example.com {\n\terror /broken 418\n\theader +X-Saw \"\"\n\tgatehouse /private/*\n\terror /late 418\n\trespond ok\n"+errorPage+"}\n"+
			"http://refusing.example.com {\n\theader >X-Saw \""+whoami+"\"\n\tgatehouse wheel\n\trespond ok\n}\n")
	for target, want := range map[string]int{"/broken": 418, "/late": 418} {
		rec := r.do(get("http://early.example.com" + target))
		wantStatus(t, rec, want)
		if got := rec.Header().Get("X-Saw"); got != nobody {
			t.Errorf("%s: %q", target, got)
		}
	}
	long := get("http://early.example.com/")
	long.Method = strings.Repeat("X", 40) // refused before any route
	rec := r.do(long)
	wantStatus(t, rec, http.StatusMethodNotAllowed)
	if got := rec.Header().Get("X-Saw"); got != nobody {
		t.Errorf("an error before any route: %q", got)
	}
	rec = r.do(get("http://refusing.example.com/", r.signIn("refusing.example.com", nil)))
	wantStatus(t, rec, http.StatusForbidden)
	if got := rec.Header().Get("X-Saw"); got != aliceIsOut {
		t.Errorf("a refused person: %q", got)
	}
	socket := get("http://early.example.com/private/x", r.signIn("early.example.com", nil))
	socket.Header.Set("Connection", "Upgrade")
	socket.Header.Set("Upgrade", "websocket")
	socket.Header.Set("Origin", "https://evil.test")
	wantStatus(t, r.do(socket), http.StatusForbidden)
}

// What another authentication has found out stays, wherever it stands.
func TestPlaceholders_OfOtherAuthenticationStay(t *testing.T) {
	basic := "basic_auth %s {\n\t\tbob " + cheapHash + "\n\t}\n"
	r := serve(t, aliceLocal,
		"http://before.example.com {\n\troute {\n\t\t"+strings.Replace(basic, "%s", "/basic", 1)+"\t\tgatehouse /private/*\n\t\trespond \""+whoami+"\"\n\t}\n}\n"+
			"http://behind.example.com {\n\troute {\n\t\tgatehouse /private/*\n\t\t"+strings.Replace(basic, "%s", "/basic", 1)+"\t\trespond \""+whoami+"\"\n\t}\n}\n"+
			"http://other.example.com {\n\trespond \"{http.auth.user.id}\"\n}\n")
	for _, host := range []string{"before.example.com", "behind.example.com"} {
		for _, tt := range []struct {
			path  string
			basic bool
			want  string
		}{{"/basic", true, "[bob|||]"}, {"/open", true, nobody}, {"/open", false, nobody}} {
			req := get("http://" + host + tt.path)
			if tt.basic {
				req.SetBasicAuth("bob", "wonderland")
			}
			rec := r.do(req)
			wantStatus(t, rec, http.StatusOK)
			if got := rec.Body.String(); got != tt.want {
				t.Errorf("%s%s: %q, want %q", host, tt.path, got, tt.want)
			}
		}
	}
	// A site without a guard is as Caddy has it.
	if got := r.do(get("http://other.example.com/")).Body.String(); got != "{http.auth.user.id}" {
		t.Errorf("a site without a guard: %q", got)
	}
}

// A guard in a named route is provisioned after the routes that lead there.
func TestPlaceholders_OfNamedRoutes(t *testing.T) {
	r := serve(t, aliceLocal, "&(guarded) {\n\tgatehouse /private/*\n}\n"+
		"http://app.example.com {\n\theader X-Saw \""+whoami+"\"\n\tinvoke guarded\n\trespond ok\n\thandle_errors {\n\t\trespond \""+whoami+"\"\n\t}\n}\n")
	rec := r.do(get("http://app.example.com/open"))
	if got := rec.Header().Get("X-Saw"); got != nobody {
		t.Errorf("%q", got)
	}
	long := get("http://app.example.com/")
	long.Method = strings.Repeat("X", 40)
	if got := r.do(long).Body.String(); got != nobody {
		t.Errorf("an error before any route: %q", got)
	}
}

// Configurations in JSON put routes where no Caddyfile does: for all hosts, before
// the site's.
func TestPlaceholders_OfConfigurationsInJSON(t *testing.T) {
	raw := config(t, t.TempDir(), aliceLocal, "http://app.example.com {\n\tgatehouse /private/*\n\trespond ok\n}\n")
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	server := tree["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)["srv0"].(map[string]any)
	first := map[string]any{"handle": []any{map[string]any{
		"handler": "headers", "response": map[string]any{"set": map[string]any{"X-Saw": []any{whoami}}},
	}}}
	server["routes"] = append([]any{first}, server["routes"].([]any)...)
	raw, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	r, err := start(t, raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	if got := r.do(get("http://app.example.com/open")).Header().Get("X-Saw"); got != nobody {
		t.Errorf("%q", got)
	}
	if got := r.do(get("http://other.example.com/open")).Header().Get("X-Saw"); got != whoami {
		t.Errorf("another host of the server: %q", got)
	}
}

// A site without a host name of its own has its routes at the server's top.
func TestPlaceholders_OfASiteThatIsAllOfItsServer(t *testing.T) {
	r := serve(t, aliceLocal, ":80 {\n\theader X-Saw \""+whoami+"\"\n\tgatehouse /private/* {\n\t\thosts app.example.com\n\t}\n\trespond ok\n}\n")
	if got := r.do(get("http://app.example.com/open")).Header().Get("X-Saw"); got != nobody {
		t.Errorf("%q", got)
	}
}

// Caddy's rewrite logs the request at DEBUG, with the address as it is then.
func TestFront_HidesOurSecretsFromHandlersBeforeTheGuard(t *testing.T) {
	r := serve(t, "issuer http://auth.example.com/sso\n"+aliceLocal, "http://app.example.com {\n\theader X-Saw \"{uri} {query} {http.request.orig_uri.path}\"\n\tgatehouse /private/*\n\trespond ok\n}\n"+
		"http://auth.example.com {\n\theader X-Saw \"{uri} {query}\"\n\tgatehouse_portal\n}\n")
	for target, want := range map[string]string{
		"http://app.example.com/.gatehouse/callback?code=sesame&state=x":     "/.gatehouse/callback  /.gatehouse/callback",
		"http://app.example.com/.gatehouse/login?return_to=%2Fx":             "/.gatehouse/login?return_to=%2Fx return_to=%2Fx /.gatehouse/login",
		"http://app.example.com/callback?code=the-app's-own":                 "/callback?code=the-app's-own code=the-app's-own /callback",
		"http://auth.example.com/sso/callback/local?code=sesame":             "/sso/callback/local ",
		"http://auth.example.com/sso/authorize?state=sesame&client_id=a":     "/sso/authorize ",
		"http://auth.example.com/elsewhere/authorize?state=of-another-owner": "/elsewhere/authorize?state=of-another-owner state=of-another-owner",
	} {
		if got := r.do(get(target)).Header().Get("X-Saw"); got != want {
			t.Errorf("%s: seen %q, want %q", target, got, want)
		}
	}
}
