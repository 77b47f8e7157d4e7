package flows_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestChallenge_LoginURLLeadsToADocument: the Referer of a worker's calls is its source
// (the tus and Node-RED front ends have such), and nobody wants to come back to a script.
// Only a document of the same origin is a place to return to.
func TestChallenge_LoginURLLeadsToADocument(t *testing.T) {
	for _, portal := range []bool{false, true} {
		w := newWorld(t, worldOptions{portal: portal})
		site := w.siteURL("one")
		for referer, want := range map[string]string{
			"/reports?file=a.js": "/.gatehouse/login?return_to=%2Freports%3Ffile%3Da.js",
			"/x.json":            "/.gatehouse/login?return_to=%2Fx.json",
			"/page.js/":          "/.gatehouse/login?return_to=%2Fpage.js%2F",
			"/":                  "/.gatehouse/login",
			"/u/sw.js":           "/.gatehouse/login",
			"/u/SW.JS?v=1":       "/.gatehouse/login",
			"/w.mjs":             "/.gatehouse/login",
			"/app.wasm":          "/.gatehouse/login",
			"/style.css":         "/.gatehouse/login",
		} {
			got := w.send(http.MethodGet, site+"/api/me", "", "Sec-Fetch-Mode: cors", "Referer: "+site+referer)
			if url := got.answer.text("login_url"); got.status != http.StatusUnauthorized || url != site+want {
				t.Errorf("portal %t, %s: %d, login_url %s", portal, referer, got.status, url)
			}
		}
		got := w.send(http.MethodGet, site+"/api/me", "", "Sec-Fetch-Mode: cors", "Referer: http://evil.test/page")
		if url := got.answer.text("login_url"); url != site+"/.gatehouse/login" {
			t.Errorf("portal %t, another origin's: login_url %s", portal, url)
		}
	}
}

// TestBearer_SaysWhichResourceIsMissing: a token that was asked for without resource is for
// the issuer alone, and its 401 says what to ask for (RFC 8707; the callers were
// Prometheus and rclone). A token that is none says no more than before.
func TestBearer_SaysWhichResourceIsMissing(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	site := w.siteURL("one")
	for name, resource := range map[string]string{"none": "", "another site": w.siteURL("two")} {
		params := authorizeParams("web", "https://web.test/cb", "openid")
		if resource != "" {
			params.Set("resource", resource)
		}
		token := w.call("token", redeem(w.code(b, params)), basic("web")).answer.text("access_token")
		got := w.send(http.MethodGet, site+"/x", "", "Authorization: Bearer "+token)
		said := strings.Join(got.header.Values("Www-Authenticate"), "\n")
		if got.status != http.StatusUnauthorized || !strings.Contains(said, `error="invalid_token"`) || !strings.Contains(said, "resource="+site) {
			t.Errorf("for %s: %d %s", name, got.status, said)
		}
	}
	got := w.send(http.MethodGet, site+"/x", "", "Authorization: Bearer e30.e30.e30")
	if said := strings.Join(got.header.Values("Www-Authenticate"), "\n"); strings.Contains(said, "resource=http") {
		t.Errorf("a token of nobody: %s", said)
	}
}
