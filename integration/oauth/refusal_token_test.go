package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// otherClient is a client with its own secret and redirect URI.
const (
	otherSecret = "a secret of another application"
	otherClient = `client other {
		secret "` + otherSecret + `"
		first_party
		redirect_uri http://127.0.0.1/callback
		post_logout_redirect_uri http://127.0.0.1:1/other
		scopes openid profile offline_access
	}
	client cli {
		public
		grants device_code refresh_token
		scopes openid offline_access
	}
	client tv {
		public
		grants device_code refresh_token
		scopes openid
	}
	client pushes {
		public
		first_party
		require par dpop
		redirect_uri http://127.0.0.1/callback
		scopes openid
	}`
)

func TestRefusal_TheTokenEndpointReadsOneFormInTheBody(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	web := basic("web", webSecret)
	form := url.Values{"grant_type": {"client_credentials"}}
	if got := w.post(t, "token", form, web); got.status != http.StatusOK {
		t.Fatalf("a request that is in order: %d %s", got.status, got.body)
	}
	typed := "Content-Type: application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		query, body string
		headers     []string
	}{
		"parameters in the URL":        {"?grant_type=client_credentials", "", []string{typed, web}},
		"one parameter in the URL":     {"?code=x", form.Encode(), []string{typed, web}},
		"a client_id in the URL":       {"?client_id=web", form.Encode(), []string{typed, web}},
		"JSON":                         {"", `{"grant_type":"client_credentials"}`, []string{"Content-Type: application/json", web}},
		"no content type":              {"", form.Encode(), []string{web}},
		"a form that is none":          {"", "grant_type=%zz", []string{typed, web}},
		"a form without end":           {"", form.Encode() + "&x=" + strings.Repeat("x", 70_000), []string{typed, web}},
		"nothing":                      {"", "", []string{typed, web}},
		"the grant twice":              {"", form.Encode() + "&" + form.Encode(), []string{typed, web}},
		"the scope twice":              {"", form.Encode() + "&scope=openid&scope=openid", []string{typed, web}},
		"Basic and a secret":           {"", form.Encode() + "&client_secret=x", []string{typed, web}},
		"Basic and an assertion":       {"", form.Encode() + "&client_assertion=x", []string{typed, web}},
		"two Basics":                   {"", form.Encode(), []string{typed, web, web}},
		"Basic of one, id of another":  {"", form.Encode() + "&client_id=other", []string{typed, web}},
		"an assertion without a type":  {"", form.Encode() + "&client_assertion=x", []string{typed}},
		"an assertion of another type": {"", form.Encode() + "&client_assertion=x&client_assertion_type=saml", []string{typed}},
	} {
		w.send(t, http.MethodPost, w.issuer+"/token"+c.query, c.body, c.headers...).want(t, name, http.StatusBadRequest, "invalid_request")
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		for _, endpoint := range []string{"token", "revoke", "introspect", "par", "device_authorization"} {
			if got := w.send(t, method, w.issuer+"/"+endpoint, "", web); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
				t.Errorf("%s %s: %d", method, endpoint, got.status)
			}
		}
	}
}

func TestRefusal_ClientsThatDoNotProveThemselves(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	encode := func(s string) string { return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	none := `eyJhbGciOiJub25lIn0.eyJpc3MiOiJ3ZWIiLCJzdWIiOiJ3ZWIifQ.`
	for name, c := range map[string]struct {
		form   url.Values
		header string
	}{
		"wrong secret":             {nil, basic("web", "wrong")},
		"empty secret":             {nil, basic("web", "")},
		"another's secret":         {nil, basic("web", otherSecret)},
		"a bit more":               {nil, basic("web", webSecret+"x")},
		"a NUL more":               {nil, basic("web", webSecret+"\x00")},
		"a secret not encoded":     {nil, encode("web:" + webSecret)},
		"a public client's":        {nil, basic("cli", "x")},
		"unknown client":           {nil, basic("nobody", webSecret)},
		"no colon":                 {nil, encode("web")},
		"bad base64":               {nil, "Authorization: Basic !!!"},
		"another scheme":           {nil, "Authorization: Bearer " + webSecret},
		"only a name":              {url.Values{"client_id": {"web"}}, "X: x"},
		"wrong secret in the form": {url.Values{"client_id": {"web"}, "client_secret": {"wrong"}}, "X: x"},
		"nobody at all":            {nil, "X: x"},
		"unsigned assertion": {url.Values{
			"client_assertion": {none}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}, "X: x"},
	} {
		for _, endpoint := range []string{"token", "introspect", "revoke", "par"} {
			form := change(c.form, func(f url.Values) { f.Set("grant_type", "client_credentials"); f.Set("token", "x") })
			w.post(t, endpoint, form, c.header).want(t, name+" at "+endpoint, http.StatusUnauthorized, "invalid_client")
		}
	}
}

func TestRefusal_GrantsThatAreNotTheClients(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	for grant, code := range map[string]string{
		"password": "unsupported_grant_type", "implicit": "unsupported_grant_type", "x": "unsupported_grant_type",
		"urn:ietf:params:oauth:grant-type:token-exchange": "unsupported_grant_type",
		"urn:ietf:params:oauth:grant-type:jwt-bearer":     "unsupported_grant_type",
		"urn:ietf:params:oauth:grant-type:device_code":    "unauthorized_client",
	} {
		w.post(t, "token", url.Values{"grant_type": {grant}, "username": {"alice"}, "password": {alicePassword}}, basic("web", webSecret)).
			want(t, grant, http.StatusBadRequest, code)
	}
	w.post(t, "token", url.Values{"grant_type": {"client_credentials"}}, basic("other", otherSecret)).
		want(t, "client credentials of a client without", http.StatusBadRequest, "unauthorized_client")
	w.post(t, "token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"cli"}}).
		want(t, "client credentials of a public client", http.StatusBadRequest, "unauthorized_client")
	w.post(t, "device_authorization", url.Values{}, basic("web", webSecret)).
		want(t, "a device flow of a client without", http.StatusBadRequest, "unauthorized_client")
	w.post(t, "device_authorization", url.Values{"client_id": {"cli"}, "scope": {"email"}}).
		want(t, "a scope that the client may not have", http.StatusBadRequest, "invalid_scope")
	w.post(t, "device_authorization", url.Values{"client_id": {"cli"}, "code_challenge": {verifier}, "code_challenge_method": {"plain"}}).
		want(t, "plain PKCE", http.StatusBadRequest, "invalid_request")
}

// TestRefusal_CodesOfOthers: a wrong attempt consumes nothing, so the right one
// succeeds at the end.
func TestRefusal_CodesOfOthers(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	alice := w.alice(t)
	web, other := basic("web", webSecret), basic("other", otherSecret)
	unchallenged := change(authorization("web"), func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") })
	code, plain := alice.code(authorization("web")), alice.code(unchallenged)
	bare := func(edit func(url.Values)) url.Values {
		return change(redemption(plain), func(f url.Values) { f.Del("code_verifier"); edit(f) })
	}
	for name, c := range map[string]struct {
		form   url.Values
		client string
	}{
		"another client":                    {redemption(code), other},
		"a verifier where no challenge was": {redemption(plain), web},
		"an empty verifier":                 {bare(func(f url.Values) { f.Set("code_verifier", "") }), web},
		"another port":                      {change(redemption(code), func(f url.Values) { f.Set("redirect_uri", "http://127.0.0.1:4712/callback") }), web},
		"another verifier":                  {change(redemption(code), func(f url.Values) { f.Set("code_verifier", oauth2.GenerateVerifier()) }), web},
		"the challenge as verifier":         {change(redemption(code), func(f url.Values) { f.Set("code_verifier", oauth2.S256ChallengeFromVerifier(verifier)) }), web},
		"a code cut short":                  {change(redemption(code), func(f url.Values) { f.Set("code", code[:len(code)-1]) }), web},
		"a code extended":                   {change(redemption(code), func(f url.Values) { f.Set("code", code+"A") }), web},
		"a code with padding":               {change(redemption(code), func(f url.Values) { f.Set("code", code+"=") }), web},
		"a code in another alphabet":        {change(redemption(code), func(f url.Values) { f.Set("code", strings.Repeat("+/", len(code)/2)) }), web},
		"an enormous code":                  {change(redemption(code), func(f url.Values) { f.Set("code", strings.Repeat("A", 60_000)) }), web},
	} {
		w.post(t, "token", c.form, c.client).want(t, name, http.StatusBadRequest, "invalid_grant")
	}
	for name, form := range map[string]url.Values{"the right attempt": redemption(code), "without PKCE": bare(func(url.Values) {})} {
		if got := w.post(t, "token", form, web); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestRefusal_RefreshTokensOfOthers(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	web := basic("web", webSecret)
	got := w.alice(t).tokens(change(authorization("web"), func(q url.Values) { q.Set("resource", w.api) }))
	refresh := got.text("refresh_token")
	form := func(token string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	}
	for name, c := range map[string]struct {
		token  string
		client []string
		code   string
		status int
	}{
		"another client":     {refresh, []string{basic("other", otherSecret)}, "invalid_grant", 400},
		"no authentication":  {refresh, nil, "invalid_client", 401},
		"an access token":    {got.text("access_token"), []string{web}, "invalid_grant", 400},
		"an ID token":        {got.text("id_token"), []string{web}, "invalid_grant", 400},
		"cut short":          {refresh[:len(refresh)-1], []string{web}, "invalid_grant", 400},
		"extended":           {refresh + "A", []string{web}, "invalid_grant", 400},
		"last letter":        {refresh[:len(refresh)-1] + flip(refresh[len(refresh)-1:]), []string{web}, "invalid_grant", 400},
		"as a session":       {strings.Replace(refresh, "gtr_", "gts_", 1), []string{web}, "invalid_grant", 400},
		"with a space":       {" " + refresh, []string{web}, "invalid_grant", 400},
		"empty":              {"", []string{web}, "invalid_request", 400},
		"not even printable": {"\x00\xff", []string{web}, "invalid_grant", 400},
	} {
		w.post(t, "token", form(c.token), c.client...).want(t, name, c.status, c.code)
	}
	for name, c := range map[string]struct{ name, value, code string }{
		"a wider scope":          {"scope", "openid profile", "invalid_scope"},
		"a malformed scope":      {"scope", `openid "`, "invalid_scope"},
		"another's resource":     {"resource", "https://elsewhere.example", "invalid_target"},
		"a resource not granted": {"resource", w.issuer, "invalid_target"},
	} {
		w.post(t, "token", change(form(refresh), func(f url.Values) { f.Set(c.name, c.value) }), web).want(t, name, 400, c.code)
	}
	if got := w.post(t, "token", form(refresh), web); got.status != http.StatusOK {
		t.Errorf("refusals consumed the token: %d %s", got.status, got.body)
	}
}

// flip is another letter of base64url.
func flip(letter string) string {
	if letter == "A" {
		return "B"
	}
	return "A"
}
