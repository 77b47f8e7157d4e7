package flows_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// Sections 2.1 and 2.2: what an access token is, and says.
func TestRFC9068_AccessToken(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	w.clock.hold(0)
	b := w.signedInBrowser()
	got := w.tokens(b, set("resource", w.siteURL("one")))
	header, claims := claimsOf(t, got.answer.text("access_token"))
	now := float64(w.clock.now().Unix())
	for name, want := range map[string]any{
		"iss": w.portalURL(), "client_id": "web", "iat": now, "exp": now + 20*60, "scope": "openid offline_access", "auth_time": now, "nonce": nil,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	aud, _ := claims["aud"].([]any)
	if len(aud) != 1 || aud[0] != w.siteURL("one") {
		t.Errorf("aud is %v, want exactly the resource", claims["aud"])
	}
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == "" || len(header) != 3 {
		t.Errorf("header %v", header)
	}
	if got.body["expires_in"] != float64(20*60) {
		t.Errorf("expires_in is %v", got.body["expires_in"])
	}
	_, id := claimsOf(t, got.answer.text("id_token"))
	if claims["sub"] != id["sub"] || claims["sub"] == "" {
		t.Errorf("sub is %v, the ID token's %v", claims["sub"], id["sub"])
	}
	_, other := claimsOf(t, w.tokens(b, nil).answer.text("access_token"))
	if jti, _ := claims["jti"].(string); len(jti) < 22 || other["jti"] == jti {
		t.Errorf("jti %q, and then %q", jti, other["jti"])
	}
	// A client's own is of the client (section 2.2), and of no session.
	_, own := claimsOf(t, w.call("token", url.Values{"grant_type": {"client_credentials"}}, basic("web")).answer.text("access_token"))
	if own["sub"] != "web" || own["client_id"] != "web" || own["sid"] != nil || own["auth_time"] != nil || own["jti"] == nil {
		t.Errorf("a client's own: %v", own)
	}
}

// Section 4: nothing but an access token of ours, whole, with all that it must
// say, opens anything. Each of these but the first few is signed by our own key.
func TestRFC9068_NothingElseIsTaken(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	got := w.tokens(b, func(v url.Values) { v["resource"] = []string{w.siteURL("one"), w.portalURL()} })
	access := got.answer.text("access_token")
	_, say := claimsOf(t, access)
	_, others := claimsOf(t, w.otherIDToken(b))
	forge := func(typ string, change map[string]any) string {
		claims := jwt.MapClaims{}
		maps.Copy(claims, say)
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		raw, err := w.keys.Sign(typ, token.ES256, claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	open := func(raw string) map[string]said {
		bearer := "Authorization: Bearer " + raw
		return map[string]said{
			"userinfo":      w.send(http.MethodGet, w.portalURL()+"/userinfo", "", bearer),
			"a site":        w.send(http.MethodGet, w.siteURL("one")+"/api", "", bearer, "Accept: application/json"),
			"introspection": w.call("introspect", url.Values{"token": {raw}}, basic("web")),
		}
	}
	for name, raw := range map[string]string{"as issued": access, "signed again": forge(token.TypeAccess, nil)} {
		for where, answer := range open(raw) {
			if answer.status != http.StatusOK || where == "introspection" && answer.body["active"] != true {
				t.Fatalf("%s, at %s: %d %s", name, where, answer.status, answer.text)
			}
		}
	}
	session, _ := say["sid"].(string)
	for name, raw := range map[string]string{
		"an ID token":                   got.answer.text("id_token"),
		"a code":                        w.code(b, authorizeParams("web", "https://web.test/cb", "openid")),
		"a logout token":                forge(token.TypeLogout, nil),
		"an ID token by type":           forge(token.TypeID, nil),
		"an assertion":                  forge(token.TypeAssertion, nil),
		"no type":                       forge("", nil),
		"no issuer":                     forge(token.TypeAccess, map[string]any{"iss": nil}),
		"another issuer":                forge(token.TypeAccess, map[string]any{"iss": "https://evil.test"}),
		"no expiry":                     forge(token.TypeAccess, map[string]any{"exp": nil}),
		"expired":                       forge(token.TypeAccess, map[string]any{"exp": w.clock.now().Add(-time.Second).Unix()}),
		"no audience":                   forge(token.TypeAccess, map[string]any{"aud": nil}),
		"an empty audience":             forge(token.TypeAccess, map[string]any{"aud": []string{}}),
		"no subject":                    forge(token.TypeAccess, map[string]any{"sub": nil}),
		"no client":                     forge(token.TypeAccess, map[string]any{"client_id": nil}),
		"a client's own, of no client":  forge(token.TypeAccess, map[string]any{"sid": nil, "client_id": nil}),
		"a client's own, of no subject": forge(token.TypeAccess, map[string]any{"sid": nil, "sub": nil}),
		"no issue date":                 forge(token.TypeAccess, map[string]any{"iat": nil}),
		"no jti":                        forge(token.TypeAccess, map[string]any{"jti": nil}),
		"another subject":               forge(token.TypeAccess, map[string]any{"sub": "somebody"}),
		"another client":                forge(token.TypeAccess, map[string]any{"client_id": "other"}),
		"another's session":             forge(token.TypeAccess, map[string]any{"sid": others["sid"]}),
		"a session that is not":         forge(token.TypeAccess, map[string]any{"sid": uuid.Must(uuid.NewV7()).String()}),
		"a session in braces":           forge(token.TypeAccess, map[string]any{"sid": "x" + session}),
		"bound to a key":                forge(token.TypeAccess, map[string]any{"cnf": map[string]any{"jkt": strings.Repeat("A", 43)}}),
		"cut short":                     access[:len(access)-1],
		"extended":                      access + "A",
		"unsigned":                      access[:strings.LastIndexByte(access, '.')+1],
		"nothing":                       "x",
		"very long":                     access + strings.Repeat("A", 9000),
	} {
		for where, answer := range open(raw) {
			switch {
			case where == "introspection" && name == "bound to a key": // it is told of, not used
			case where == "introspection":
				if answer.status != http.StatusOK || answer.text != inactive {
					t.Errorf("%s: introspection says %d %s", name, answer.status, answer.text)
				}
			case where == "a site" && !strings.Contains(raw, "."): // somebody else's, for all we know
				if answer.status != http.StatusUnauthorized {
					t.Errorf("%s at %s: %d", name, where, answer.status)
				}
			case answer.status != http.StatusUnauthorized || answer.header.Get("WWW-Authenticate") == "":
				t.Errorf("%s at %s: %d %s", name, where, answer.status, answer.text)
			}
		}
	}
	// A token opens the sites of its audience and no other.
	for _, to := range []string{w.siteURL("two"), w.siteURL("one.one"), strings.Replace(w.siteURL("one"), "one", "onee", 1)} {
		if answer := w.send(http.MethodGet, to+"/api", "", "Authorization: Bearer "+access, "Accept: application/json"); answer.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", to, answer.status)
		}
	}
}

const inactive = `{"active":false}` + "\n"

// RFC 6750, sections 2 and 3: in the header and nowhere else; the challenge says
// what is wrong, and nothing to who sent no token.
func TestRFC6750_Bearer(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	got := w.tokens(w.signedInBrowser(), func(v url.Values) { v["resource"] = []string{w.siteURL("one"), w.portalURL()} })
	access := got.answer.text("access_token")
	for _, at := range []string{w.portalURL() + "/userinfo", w.siteURL("one") + "/api"} {
		for name, answer := range map[string]said{
			"in the URL":     w.send(http.MethodGet, at+"?access_token="+access, "", "Accept: application/json"),
			"in the body":    w.send(http.MethodPost, at, "access_token="+access, formType, "Accept: application/json"),
			"by Basic":       w.send(http.MethodGet, at, "", "Authorization: Basic "+access, "Accept: application/json"),
			"without scheme": w.send(http.MethodGet, at, "", "Authorization: "+access, "Accept: application/json"),
			"nowhere":        w.send(http.MethodGet, at, "", "Accept: application/json"),
		} {
			challenge := answer.header.Get("WWW-Authenticate")
			if answer.status != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer ") || strings.Contains(challenge, "error=") {
				t.Errorf("%s of %s: %d %s", name, at, answer.status, challenge)
			}
		}
		for _, scheme := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} {
			if answer := w.send(http.MethodGet, at, "", "Authorization: "+scheme+" "+access); answer.status != http.StatusOK {
				t.Errorf("%s: %d", scheme, answer.status)
			}
		}
		if answer := w.send(http.MethodGet, at, "", "Authorization: Bearer "+access, "Authorization: Bearer "+access, "Accept: application/json"); answer.status != http.StatusBadRequest {
			t.Errorf("twice at %s: %d", at, answer.status)
		}
		if answer := w.send(http.MethodGet, at, "", "Authorization: DPoP "+access, "Accept: application/json"); answer.status != http.StatusUnauthorized {
			t.Errorf("an unbound token as DPoP at %s: %d", at, answer.status)
		}
		bad := w.send(http.MethodGet, at, "", "Authorization: Bearer "+access[:len(access)-4], "Accept: application/json")
		if challenge := bad.header.Get("WWW-Authenticate"); bad.status != http.StatusUnauthorized || !strings.Contains(challenge, `error="invalid_token"`) {
			t.Errorf("a bad one at %s: %d %s", at, bad.status, challenge)
		}
	}
	w.clock.advance(20 * time.Minute)
	late := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+access)
	if late.status != http.StatusUnauthorized || !strings.Contains(late.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("after its twenty minutes: %d %v", late.status, late.header)
	}
}
