package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

const spaOrigin = "https://spa.test"

// spaClients are oauthClients and a page's.
func spaClients() []*client.Client {
	return append(oauthClients(), &client.Client{
		ID: "spa", Public: true, FirstParty: true, Scopes: []string{"openid", "email", "offline_access"},
		RedirectURIs: []string{spaOrigin + "/callback", "http://localhost:5173/cb"},
	})
}

// pageEndpoints are those that pages call, with their methods.
var pageEndpoints = map[string]string{
	"token": "POST", "par": "POST", "revoke": "POST", "device_authorization": "POST", "userinfo": "GET, POST",
}

// wantNoCORS checks that an answer says nothing to pages of other origins.
func (s said) wantNoCORS(t *testing.T, what string) {
	t.Helper()
	for name := range s.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s: %s", what, name, s.header.Get(name))
		}
	}
}

// wantPage checks that a page of an origin may read an answer of an endpoint for
// pages, and as nobody in particular.
func (s said) wantPage(t *testing.T, what, origin string) {
	t.Helper()
	if got := s.header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != origin {
		t.Errorf("%s: may be read by %q, want %q", what, got, origin)
	}
	if !slices.Contains(s.header.Values("Vary"), "Origin") {
		t.Errorf("%s: Vary: %q", what, s.header.Values("Vary"))
	}
	if got := s.header.Get("Access-Control-Allow-Credentials"); got != "" {
		t.Errorf("%s: with credentials", what)
	}
}

func TestCORS_PreflightsAreAnsweredWithoutIO(t *testing.T) {
	w, n := counted(t, worldOptions{portal: true, clients: spaClients()})
	for endpoint, methods := range pageEndpoints {
		for origin, want := range map[string]bool{
			spaOrigin: true, "https://web.test": true, "http://localhost:5173": true, "http://127.0.0.1:4711": true,
			"https://evil.test": false, "http://spa.test": false, "https://spa.test:8443": false, "http://localhost:5174": false,
			"https://127.0.0.1:4711": false, "null": false, w.portalURL(): false,
		} {
			what := endpoint + " from " + origin
			var got said
			n.want(t, what, 0, 0, func() {
				got = w.send(http.MethodOptions, w.portalURL()+"/"+endpoint, "",
					"Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,dpop")
			})
			if !want {
				got.wantNoCORS(t, what)
				if got.status != http.StatusForbidden || !slices.Contains(got.header.Values("Vary"), "Origin") {
					t.Errorf("%s: %d %v", what, got.status, got.header)
				}
				continue
			}
			got.wantPage(t, what, origin)
			if got.status != http.StatusNoContent || got.text != "" || got.header.Get("Access-Control-Allow-Methods") != methods ||
				got.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, DPoP" || got.header.Get("Access-Control-Max-Age") != "3600" {
				t.Errorf("%s: %d %v", what, got.status, got.header)
			}
		}
		if got := w.send(http.MethodOptions, w.portalURL()+"/"+endpoint, "", "Origin: "+spaOrigin); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != methods {
			t.Errorf("OPTIONS that is no preflight, at %s: %d %v", endpoint, got.status, got.header)
		}
	}
}

// An error that a page cannot read is, for it, an outage.
func TestCORS_EveryAnswerCanBeReadByThePage(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: spaClients()})
	from := "Origin: " + spaOrigin
	b := w.signedInBrowser()
	code := w.code(b, authorizeParams("spa", spaOrigin+"/callback", "openid offline_access"))
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code},
		"redirect_uri": {spaOrigin + "/callback"}, "code_verifier": {verifier},
	}
	tokens := w.call("token", form, from)
	tokens.wantPage(t, "tokens", spaOrigin)
	if tokens.status != http.StatusOK || tokens.header.Get("Access-Control-Expose-Headers") != "DPoP-Nonce, Retry-After, WWW-Authenticate" {
		t.Fatalf("%d %s %v", tokens.status, tokens.text, tokens.header)
	}
	bearer := "Authorization: Bearer " + tokens.answer.text("access_token")
	post := func(endpoint string, form url.Values, headers ...string) said {
		return w.call(endpoint, form, append(headers, from)...)
	}
	userinfo := w.portalURL() + "/userinfo"
	for what, c := range map[string]struct {
		got    said
		status int
	}{
		"userinfo":                       {w.send(http.MethodGet, userinfo, "", bearer, from), 200},
		"userinfo by POST":               {w.send(http.MethodPost, userinfo, "", bearer, from), 200},
		"userinfo without a token":       {w.send(http.MethodGet, userinfo, "", from), 401},
		"userinfo with junk":             {w.send(http.MethodGet, userinfo, "", "Authorization: Bearer x", from), 401},
		"userinfo by a foreign method":   {w.send(http.MethodPut, userinfo, "", bearer, from), 405},
		"a used code":                    {post("token", form), 400},
		"no grant":                       {post("token", url.Values{"client_id": {"spa"}}), 400},
		"an unknown client":              {post("token", with(form, set("client_id", "nobody"))), 401},
		"a wrong secret":                 {post("token", with(form, drop("client_id")), basic("cli")), 401},
		"JSON":                           {w.send(http.MethodPost, w.portalURL()+"/token", "{}", "Content-Type: application/json", from), 400},
		"a foreign method":               {w.send(http.MethodGet, w.portalURL()+"/token", "", from), 405},
		"a push":                         {post("par", authorizeParams("spa", spaOrigin+"/callback", "openid")), 201},
		"a push that is refused":         {post("par", authorizeParams("spa", "https://evil.test/", "openid")), 400},
		"a device that is refused":       {post("device_authorization", url.Values{"client_id": {"spa"}}), 400},
		"a revocation":                   {post("revoke", url.Values{"client_id": {"spa"}, "token": {"junk"}}), 200},
		"a revocation that says nothing": {post("revoke", url.Values{"client_id": {"spa"}}), 400},
	} {
		c.got.wantPage(t, what, spaOrigin)
		if c.got.status != c.status {
			t.Errorf("%s: %d %s, want %d", what, c.got.status, c.got.text, c.status)
		}
	}
	for _, origin := range []string{"https://evil.test", "null", w.portalURL()} {
		w.send(http.MethodGet, userinfo, "", bearer, "Origin: "+origin).wantNoCORS(t, origin)
	}
	w.send(http.MethodGet, userinfo, "", bearer, from, "Origin: https://evil.test").wantNoCORS(t, "two origins")
	plain := w.send(http.MethodGet, userinfo, "", bearer)
	plain.wantNoCORS(t, "no origin")
	if !slices.Contains(plain.header.Values("Vary"), "Origin") {
		t.Errorf("no origin: Vary: %q", plain.header.Values("Vary"))
	}
}

func TestCORS_PagesOfPeopleHaveNone(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: spaClients()})
	query := authorizeParams("spa", spaOrigin+"/callback", "openid").Encode()
	addresses := []string{w.siteURL("one") + "/", w.siteURL("one") + "/.gatehouse/login", w.siteURL("one") + "/.gatehouse/logout"}
	for _, endpoint := range []string{
		"", "authorize?" + query, "consent", "login", "signin", "logout", "device", "device/decide", "callback/local",
		"introspect", "backchannel_logout/local", "nonesuch",
	} {
		addresses = append(addresses, w.portalURL()+"/"+endpoint)
	}
	for _, address := range addresses {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			got := w.send(method, address, "", "Origin: "+spaOrigin, "Access-Control-Request-Method: POST", formType)
			got.wantNoCORS(t, method+" "+address)
		}
	}
}

func TestCORS_MetadataIsForEverybody(t *testing.T) {
	portal := newWorld(t, worldOptions{portal: true, clients: spaClients()})
	alone := newWorld(t, worldOptions{clients: spaClients()})
	own := alone.siteURL("one")
	for _, address := range []string{
		portal.portalURL() + "/.well-known/openid-configuration", portal.portalURL() + "/.well-known/oauth-authorization-server",
		portal.portalURL() + "/jwks.json", portal.siteURL("one") + "/.well-known/oauth-protected-resource",
		own + "/.gatehouse/.well-known/openid-configuration", own + "/.well-known/oauth-authorization-server/.gatehouse",
		own + "/.gatehouse/jwks.json", own + "/.well-known/oauth-protected-resource/",
	} {
		for method, status := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPut: 405} {
			got := portal.send(method, address, "", "Origin: https://evil.test")
			if got.status != status || got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: %d %v", method, address, got.status, got.header)
			}
		}
		got := portal.send(http.MethodOptions, address, "", "Origin: https://evil.test", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: mcp-protocol-version")
		if got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Headers") != "*" {
			t.Errorf("preflight of %s: %d %v", address, got.status, got.header)
		}
	}
}

func TestCORS_ASiteThatIsItsOwnIssuer(t *testing.T) {
	w := newWorld(t, worldOptions{clients: spaClients()})
	address := w.siteURL("one") + "/.gatehouse/token"
	w.send(http.MethodOptions, address, "", "Origin: "+spaOrigin, "Access-Control-Request-Method: POST").wantPage(t, "preflight", spaOrigin)
	got := w.send(http.MethodPost, address, "client_id=spa&grant_type=authorization_code&code=x", formType, "Origin: "+spaOrigin)
	got.wantPage(t, "an error", spaOrigin)
	got.refused(t, "an unknown code", http.StatusBadRequest, "invalid_grant")
}
