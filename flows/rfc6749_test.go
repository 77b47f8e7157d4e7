package flows_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// Section 3.2: one form, in the body, each parameter once.
func TestRFC6749_TokenEndpointReadsOneFormInTheBody(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	form := url.Values{"grant_type": {"client_credentials"}}
	if got := w.call("token", form, basic("web")); got.status != http.StatusOK || got.header.Get("Pragma") != "no-cache" {
		t.Fatalf("a request that is in order: %d %s %v", got.status, got.text, got.header)
	}
	// What is not known is ignored, even twice (section 3.2).
	if got := w.call("token", with(form, set("x", "1", "2")), basic("web")); got.status != http.StatusOK {
		t.Errorf("an unknown parameter: %d %s", got.status, got.text)
	}
	for name, c := range map[string]struct {
		query, body, media string
	}{
		"all in the URL":       {"?" + form.Encode(), "", formType},
		"JSON":                 {"", `{"grant_type":"client_credentials"}`, "Content-Type: application/json"},
		"multipart":            {"", form.Encode(), "Content-Type: multipart/form-data; boundary=x"},
		"no type":              {"", form.Encode(), "X: x"},
		"an escape that is no": {"", "grant_type=%zz", formType},
		"a form without end":   {"", form.Encode() + "&x=" + strings.Repeat("x", 70_000), formType},
		"nothing":              {"", "", formType},
	} {
		w.send(http.MethodPost, w.portalURL()+"/token"+c.query, c.body, c.media, basic("web")).
			refused(t, name, http.StatusBadRequest, "invalid_request")
	}
	for _, name := range []string{
		"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "device_code", "client_id",
		"client_secret", "client_assertion", "client_assertion_type",
	} {
		w.send(http.MethodPost, w.portalURL()+"/token?"+name+"=x", form.Encode(), formType, basic("web")).
			refused(t, name+" in the URL", http.StatusBadRequest, "invalid_request")
		w.call("token", with(form, set(name, form.Get(name), form.Get(name))), basic("web")).
			refused(t, name+" twice", http.StatusBadRequest, "invalid_request")
	}
	for _, endpoint := range []string{"token", "revoke", "introspect", "par", "device_authorization"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if got := w.send(method, w.portalURL()+"/"+endpoint, "", basic("web")); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
				t.Errorf("%s %s: %d", method, endpoint, got.status)
			}
		}
	}
}

// Sections 2.3.1 and 3.2: what an endpoint takes it takes from the body; in the URL it
// would end in logs, and to ignore it there would be to serve another request. What
// an endpoint does not take, it ignores there too.
func TestRFC6749_ParametersInTheURL(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	authentication := []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"}
	for endpoint, names := range map[string][]string{
		"token":                {"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "device_code", "resource"},
		"revoke":               {"token", "token_type_hint"},
		"introspect":           {"token", "token_type_hint"},
		"device_authorization": {"scope", "resource", "code_challenge", "code_challenge_method"},
		"par": {
			"response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age", "login_hint",
			"acr_values", "request", "request_uri", "response_mode", "dpop_jkt", "claims", "id_token_hint", "resource", "provider",
		},
	} {
		form := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}
		if endpoint == "par" {
			form = authorizeParams("web", "https://web.test/cb", "openid")
		}
		for _, name := range append(authentication, names...) {
			w.send(http.MethodPost, w.portalURL()+"/"+endpoint+"?"+name+"=", form.Encode(), formType, basic("web")).
				refused(t, name+" in the URL of "+endpoint, http.StatusBadRequest, "invalid_request")
			if name != "resource" {
				w.call(endpoint, with(form, set(name, form.Get(name), form.Get(name))), basic("web")).
					refused(t, name+" twice at "+endpoint, http.StatusBadRequest, "invalid_request")
			}
		}
		got, want := w.send(http.MethodPost, w.portalURL()+"/"+endpoint+"?trace=1", form.Encode(), formType, basic("web")), w.call(endpoint, form, basic("web"))
		if got.status != want.status {
			t.Errorf("what %s does not know: %d %s", endpoint, got.status, got.text)
		}
	}
}

// Sections 2.3 and 5.2: a client that does not prove itself is answered by 401
// and a challenge, wherever it asks; one that does so twice, by 400.
func TestRFC6749_ClientAuthentication(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "odd", Secrets: []client.Secret{client.NewSecret("100% +ü:&=")}, Grants: []string{client.GrantClientCredentials},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	encode := func(s string) string { return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	form := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}
	if got := w.call("token", form, encode("odd:"+url.QueryEscape("100% +ü:&="))); got.status != http.StatusOK {
		t.Errorf("a form-encoded secret: %d %s", got.status, got.text)
	}
	secret := "web-secret-of-enough-length"
	if got := w.call("token", with(form, func(f url.Values) { f.Set("client_id", "web"); f.Set("client_secret", secret) })); got.status != http.StatusOK {
		t.Errorf("a secret in the form: %d %s", got.status, got.text)
	}
	for _, endpoint := range []string{"token", "introspect", "revoke", "par", "device_authorization"} {
		for name, c := range map[string]struct {
			header string
			change func(url.Values)
		}{
			"nobody":                    {"X: x", nil},
			"an unknown client":         {encode("nobody:x"), nil},
			"a wrong secret":            {encode("web:x"), nil},
			"no secret":                 {encode("web:"), nil},
			"another's secret":          {encode("web:other-secret-of-enough-length"), nil},
			"a secret and a bit":        {encode("web:" + secret + "x"), nil},
			"a secret and a NUL":        {encode("web:" + secret + "%00"), nil},
			"a secret not form-encoded": {encode("odd:100% +ü:&="), nil},
			"no colon":                  {encode("web"), nil},
			"no base64":                 {"Authorization: Basic !", nil},
			"a public client by Basic":  {encode("cli:x"), nil},
			"another scheme":            {"Authorization: Bearer " + secret, nil},
			"a name alone":              {"X: x", set("client_id", "web")},
			"a wrong secret in a form":  {"X: x", func(f url.Values) { f.Set("client_id", "web"); f.Set("client_secret", "x") }},
			"a public client's secret":  {"X: x", func(f url.Values) { f.Set("client_id", "cli"); f.Set("client_secret", "x") }},
		} {
			got := w.call(endpoint, with(form, c.change), c.header)
			got.refused(t, name+" at "+endpoint, http.StatusUnauthorized, "invalid_client")
			if said, _, _ := strings.Cut(got.text, " (reference"); strings.Contains(said, "web") || strings.Contains(said, "nobody") {
				t.Errorf("%s at %s: the answer tells of the client: %s", name, endpoint, got.text)
			}
		}
		for name, c := range map[string]struct {
			headers []string
			change  func(url.Values)
		}{
			"Basic and a secret":          {[]string{basic("web")}, set("client_secret", secret)},
			"Basic and an assertion":      {[]string{basic("web")}, set("client_assertion", "x")},
			"Basic of one, id of another": {[]string{basic("web")}, set("client_id", "other")},
			"two of Basic":                {[]string{basic("web"), basic("web")}, nil},
		} {
			w.call(endpoint, with(form, c.change), c.headers...).refused(t, name+" at "+endpoint, http.StatusBadRequest, "invalid_request")
		}
	}
}

// Section 2.3.1: a client that has no secret may send an empty one, as oidc-agent
// does. It proves nothing for a client that has one.
func TestRFC6749_AnEmptySecretIsNone(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	encode := func(s string) string { return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	form := url.Values{"scope": {"openid"}}
	if got := w.call("device_authorization", form, encode("cli:")); got.status != http.StatusOK {
		t.Errorf("a public client: %d %s", got.status, got.text)
	}
	if got := w.call("device_authorization", with(form, set("client_id", "cli")), encode("cli:")); got.status != http.StatusOK {
		t.Errorf("with its id in the form as well: %d %s", got.status, got.text)
	}
	w.call("device_authorization", with(form, set("client_id", "native")), encode("cli:")).refused(t, "of another id", http.StatusBadRequest, "invalid_request")
	for _, id := range []string{"web", "nobody", ""} {
		w.call("token", url.Values{"grant_type": {"client_credentials"}}, encode(id+":")).refused(t, id, http.StatusUnauthorized, "invalid_client")
	}
}

// Section 4.1.2: a code lives shortly. Ours: 60 seconds, to the second.
func TestRFC6749_CodeExpires(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid")
	w.clock.hold(0)
	inTime, late := w.code(b, params), w.code(b, params)
	w.clock.hold(59 * time.Second)
	if got := w.call("token", redeem(inTime), basic("web")); got.status != http.StatusOK {
		t.Errorf("after 59 seconds: %d %s", got.status, got.text)
	}
	w.clock.hold(time.Second)
	w.call("token", redeem(late), basic("web")).refused(t, "after 60 seconds", http.StatusBadRequest, "invalid_grant")
}

// Section 4.1.2: used twice, a code takes back what it gave. Nobody else can
// bring that about: neither another client nor one without the verifier
// (CVE-2026-55672).
func TestRFC6749_OnlyItsOwnClientRevokesByReplay(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid"))
	access := w.call("token", redeem(code), basic("web")).answer.text("access_token")
	active := func() bool {
		return w.call("introspect", url.Values{"token": {access}}, basic("web")).body["active"] == true
	}
	for name, c := range map[string]struct {
		header string
		change func(url.Values)
	}{
		"another client":                 {basic("other"), nil},
		"a public client":                {"X: x", set("client_id", "native")},
		"another verifier":               {basic("web"), set("code_verifier", strings.Repeat("x", 43))},
		"no verifier":                    {basic("web"), drop("code_verifier")},
		"another redirect URI":           {basic("web"), set("redirect_uri", "https://web.test/cb2")},
		"another client's with resource": {basic("other"), set("resource", w.siteURL("one"))},
	} {
		w.call("token", with(redeem(code), c.change), c.header).refused(t, name, http.StatusBadRequest, "invalid_grant")
		if !active() {
			t.Fatalf("%s revoked what the client was given", name)
		}
	}
	wantEndedByReplay(t, "the client itself", func() answer {
		got := w.call("token", redeem(code), basic("web"))
		got.refused(t, "the client itself", http.StatusBadRequest, "invalid_grant")
		return got.answer
	}, active)
}

// A code is of a sign-in, and ends with it, even if what it is for would have
// outlived the sign-in (OpenID Connect Core, section 11).
func TestRFC6749_CodeEndsWithItsSignIn(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	code, away := w.code(b, authorizeParams("web", "https://web.test/cb", "openid")), w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))
	b.get(w.portalURL() + "/logout").submit(nil)
	w.call("token", redeem(code), basic("web")).refused(t, "after the sign-out", http.StatusBadRequest, "invalid_grant")
	w.call("token", redeem(away), basic("web")).refused(t, "offline access after the sign-out", http.StatusBadRequest, "invalid_grant")
}

// Nobody learns from the error why a grant is not good: byte for byte the same.
func TestRFC6749_EveryBadGrantLooksTheSame(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
	expired := w.code(b, params)
	w.clock.advance(2 * time.Minute)
	used, bound := w.code(b, params), w.code(b, with(params, set("resource", w.siteURL("one"))))
	w.call("token", redeem(used), basic("web"))
	w.call("token", redeem(used), basic("web"))
	live, revoked := w.tokens(b, nil), w.tokens(b, nil)
	w.call("revoke", url.Values{"token": {revoked.answer.text("refresh_token")}}, basic("web"))
	refresh := func(raw string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raw}}
	}
	w.clock.advance(31 * time.Second)

	const want = `{"error":"invalid_grant","error_description":"the grant is not valid, has expired or was used already"}` + "\n"
	token := live.answer.text("refresh_token")
	for name, c := range map[string]struct {
		form   url.Values
		client string
	}{
		"an expired code":                     {redeem(expired), "web"},
		"a used code":                         {redeem(used), "web"},
		"an unknown code":                     {redeem(strings.Repeat("A", len(used))), "web"},
		"a code of another":                   {redeem(bound), "other"},
		"a code of another, with a resource":  {with(redeem(bound), set("resource", w.siteURL("two"))), "other"},
		"a code, another redirect URI":        {with(redeem(bound), set("redirect_uri", "https://evil.test/")), "web"},
		"a code, another verifier":            {with(redeem(bound), set("code_verifier", strings.Repeat("x", 43))), "web"},
		"a code, no verifier":                 {with(redeem(bound), drop("code_verifier")), "web"},
		"a code, a verifier that is none":     {with(redeem(bound), set("code_verifier", "ü")), "web"},
		"a code cut short":                    {redeem(bound[:len(bound)-1]), "web"},
		"a code and more":                     {redeem(bound + "AAAA"), "web"},
		"a code and a line feed":              {redeem(bound + "\n"), "web"},
		"a refresh token as a code":           {redeem(token), "web"},
		"a code as a refresh token":           {refresh(bound), "web"},
		"a refresh token of another":          {refresh(token), "other"},
		"a revoked refresh token":             {refresh(revoked.answer.text("refresh_token")), "web"},
		"an access token as a refresh token":  {refresh(live.answer.text("access_token")), "web"},
		"an ID token as a refresh token":      {refresh(live.answer.text("id_token")), "web"},
		"a session handle as a refresh token": {refresh(strings.Replace(token, "gtr_", "gts_", 1)), "web"},
		"a refresh token cut short":           {refresh(token[:len(token)-1]), "web"},
		"a refresh token and more":            {refresh(token + "AAAA"), "web"},
		"a refresh token and a line feed":     {refresh(token + "\n"), "web"},
		"a refresh token in upper case":       {refresh(strings.ToUpper(token)), "web"},
		"a refresh token, all NUL":            {refresh(strings.Repeat("\x00", len(token))), "web"},
		"a refresh token without end":         {refresh(strings.Repeat("A", 60_000)), "web"},
	} {
		got := w.call("token", c.form, basic(c.client))
		if got.status != http.StatusBadRequest || withoutReference(got.text) != want {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	if got := w.call("token", refresh(token), basic("web")); got.status != http.StatusOK {
		t.Errorf("refusals consumed the refresh token: %s", got.text)
	}
}

// Sections 4.4 and 5.2: a grant is its client's.
func TestRFC6749_GrantsThatAreNotTheClients(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "codes", Secrets: []client.Secret{client.NewSecret("codes-secret-of-enough-length")}, FirstParty: true,
		Scopes: []string{"openid", "offline_access"}, RedirectURIs: []string{"https://web.test/cb"}, Grants: []string{client.GrantCode},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	for _, grant := range []string{
		"password", "implicit", "Authorization_Code", "authorization_code ",
		"urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer",
	} {
		w.call("token", url.Values{"grant_type": {grant}, "username": {"alice"}, "password": {"wonderland"}}, basic("web")).
			refused(t, grant, http.StatusBadRequest, "unsupported_grant_type")
	}
	for grant, form := range map[string]url.Values{
		"client_credentials": {"client_id": {"native"}},
		"authorization_code": {"client_id": {"cli"}, "code": {"x"}},
		client.GrantDevice:   {"client_id": {"native"}, "device_code": {"x"}},
	} {
		w.call("token", with(form, set("grant_type", grant))).refused(t, grant, http.StatusBadRequest, "unauthorized_client")
	}
	w.call("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, basic("codes")).
		refused(t, "refresh of a client without", http.StatusBadRequest, "unauthorized_client")
	// Nor is it given a refresh token that it could not use.
	code := w.code(w.signedInBrowser(), authorizeParams("codes", "https://web.test/cb", "openid offline_access"))
	if got := w.call("token", redeem(code), basic("codes")); got.status != http.StatusOK || got.answer.text("refresh_token") != "" {
		t.Errorf("%d %s", got.status, got.text)
	}
	// A client's own token speaks of nobody.
	got := w.call("token", url.Values{"grant_type": {"client_credentials"}, "scope": {"openid groups offline_access"}}, basic("web"))
	if got.status != http.StatusOK || got.body["refresh_token"] != nil || got.body["id_token"] != nil || got.answer.text("scope") != "groups" {
		t.Errorf("client credentials: %d %s", got.status, got.text)
	}
	for _, scope := range []string{"admin", "openid  email", `"`, "é", strings.Repeat("x", 2000)} {
		w.call("token", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, basic("web")).
			refused(t, "scope "+scope[:1], http.StatusBadRequest, "invalid_scope")
	}
}

// Section 5.2: what is not there is missing, and no grant that is bad.
func TestRFC6749_GrantsThatAreMissing(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for name, form := range map[string]url.Values{
		"code": redeem("x"), "refresh_token": {"grant_type": {client.GrantRefresh}}, "device_code": {"grant_type": {client.GrantDevice}},
	} {
		headers := []string{basic("web")}
		if name == "device_code" {
			form.Set("client_id", "cli")
			headers = nil
		}
		for what, change := range map[string]func(url.Values){"no ": drop(name), "an empty ": set(name, "")} {
			w.call("token", with(form, change), headers...).refused(t, what+name, http.StatusBadRequest, "invalid_request")
		}
		w.call("token", with(form, set(name, "x")), headers...).refused(t, "a bad "+name, http.StatusBadRequest, "invalid_grant")
	}
}

// Section 6: who refreshes gets no more than was granted, and nothing after the
// grant has ended.
func TestRFC6749_Refresh(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	refresh := func(raw string, change func(url.Values)) said {
		return w.call("token", with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raw}}, change), basic("web"))
	}
	first := w.tokens(b, nil).answer.text("refresh_token")
	for name, c := range map[string]struct {
		change func(url.Values)
		code   string
	}{
		"more than was granted": {set("scope", "openid email"), "invalid_scope"},
		"malformed":             {set("scope", "openid  offline_access"), "invalid_scope"},
		"of nobody":             {set("scope", "admin"), "invalid_scope"},
	} {
		refresh(first, c.change).refused(t, name, http.StatusBadRequest, c.code)
	}
	// Narrower this once; the grant stays as wide as it was.
	narrow := refresh(first, set("scope", "offline_access"))
	if narrow.status != http.StatusOK || narrow.answer.text("scope") != "offline_access" || narrow.body["id_token"] != nil {
		t.Errorf("narrower: %d %s", narrow.status, narrow.text)
	}
	wide := refresh(narrow.answer.text("refresh_token"), nil)
	if wide.answer.text("scope") != "openid offline_access" || wide.answer.text("id_token") == "" {
		t.Errorf("as wide as before: %d %s", wide.status, wide.text)
	}
	idle := w.tokens(b, nil).answer.text("refresh_token")
	w.clock.advance(8 * 24 * time.Hour)
	refresh(idle, nil).refused(t, "after eight idle days", http.StatusBadRequest, "invalid_grant")
	// However often it is used, it ends when the session does.
	raw := w.tokens(w.signedInBrowser(), nil).answer.text("refresh_token")
	for range 5 {
		w.clock.advance(6*24*time.Hour - time.Hour)
		got := refresh(raw, nil)
		if got.status != http.StatusOK {
			t.Fatalf("within thirty days: %s", got.text)
		}
		raw = got.answer.text("refresh_token")
	}
	w.clock.advance(6 * time.Hour)
	refresh(raw, nil).refused(t, "after thirty days", http.StatusBadRequest, "invalid_grant")
}
