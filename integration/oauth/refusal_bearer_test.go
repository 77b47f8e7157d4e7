package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// forge signs claims with a key and a header of one's own.
func forge(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[string]any, claims map[string]any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	for name, value := range header {
		options.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// forgeries are access tokens that look like the given one and are none.
func (w *world) forgeries(t *testing.T, got answer) map[string]string {
	t.Helper()
	access := got.text("access_token")
	parts := strings.Split(access, ".")
	var header, claims map[string]any
	for i, target := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, target); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := jose.JSONWebKey{Key: key.Public()}
	kid := header["kid"]
	mine := func(more map[string]any) string {
		h := map[string]any{"typ": "at+jwt", "kid": kid}
		maps.Copy(h, more)
		return forge(t, jose.ES256, key, h, claims)
	}
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	forged := map[string]string{
		"nothing": "", "junk": "x", "dots": "..", "an ID token": got.text("id_token"), "a refresh token": got.text("refresh_token"),
		"unsigned":            encode(`{"alg":"none","typ":"at+jwt","kid":"`+kid.(string)+`"}`) + "." + parts[1] + ".",
		"unsigned, odd case":  encode(`{"alg":"nOnE","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"signature taken off": parts[0] + "." + parts[1] + ".",
		"signature of zeros":  parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"cut short":           access[:len(access)-1], "extended": access + "A", "with a dot more": access + ".", "with a part more": access + ".e30",
		"padded": access + "=", "with a space within": parts[0] + ". " + parts[1] + "." + parts[2],
		"not canonical":         access[:len(access)-1] + unused(access[len(access)-1]),
		"of another key":        mine(nil),
		"without kid":           forge(t, jose.ES256, key, map[string]any{"typ": "at+jwt"}, claims),
		"with a key of its own": mine(map[string]any{"jwk": public}),
		"with a key elsewhere":  mine(map[string]any{"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x5u"}),
		"with crit":             mine(map[string]any{"crit": []string{"b64"}, "b64": true}),
		"another's kid":         forge(t, jose.ES256, key, map[string]any{"typ": "at+jwt", "kid": "../../../etc/passwd"}, claims),
		"JSON":                  `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"changed":               parts[0] + "." + encode(strings.Replace(w.decode(t, parts[1]), `"openid`, `"openid groups`, 1)) + "." + parts[2],
		"an enormous one":       parts[0] + "." + parts[1] + strings.Repeat("A", 15_000) + "." + parts[2],
	}
	for name, secret := range w.publicKeys(t, kid.(string)) {
		forged["HS256 with the public key as "+name] = forge(t, jose.HS256, secret, map[string]any{"typ": "at+jwt", "kid": kid}, claims)
	}
	return forged
}

// unused is a letter of base64url that differs only in bits which nothing is
// encoded in.
func unused(letter byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, letter)^1])
}

func (w *world) decode(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// publicKeys are spellings of the gateway's public key that a verifier might
// take for a shared secret.
func (w *world) publicKeys(t *testing.T, kid string) map[string][]byte {
	t.Helper()
	var set jose.JSONWebKeySet
	got := w.send(t, http.MethodGet, w.issuer+"/jwks.json", "")
	if err := json.Unmarshal([]byte(got.body), &set); err != nil || len(set.Key(kid)) != 1 {
		t.Fatalf("the key %s is not published: %s", kid, got.body)
	}
	key := set.Key(kid)[0]
	der, err := x509.MarshalPKIXPublicKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "JWK": jwk,
	}
}

const inactive = "{\"active\":false}\n"

func TestRefusal_ForgedAccessTokens(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	got := w.alice(t).tokens(change(authorization("web"), func(q url.Values) { q["resource"] = []string{w.api, w.issuer} }))
	open := func(token string) map[string]answer {
		bearer := "Authorization: Bearer " + token
		return map[string]answer{
			"userinfo":         w.send(t, http.MethodGet, w.issuer+"/userinfo", "", bearer),
			"the guarded site": w.send(t, http.MethodGet, w.api+"/api", "", bearer, "Accept: application/json"),
			"introspection":    w.post(t, "introspect", url.Values{"token": {token}, "token_type_hint": {"access_token"}}, basic("web", webSecret)),
		}
	}
	for where, answer := range open(got.text("access_token")) {
		if answer.status != http.StatusOK || where == "introspection" && answer.json["active"] != true {
			t.Fatalf("the real token at %s: %d %s", where, answer.status, answer.body)
		}
	}
	before := len(w.app.Requests())
	for name, token := range w.forgeries(t, got) {
		for where, answer := range open(token) {
			switch {
			case where == "introspection" && name == "nothing":
				answer.want(t, name, http.StatusBadRequest, "invalid_request")
			case where == "introspection" && name == "a refresh token":
				if answer.text("token_type") == "Bearer" {
					t.Errorf("%s is introspected as an access token: %s", name, answer.body)
				}
			case where == "introspection":
				if answer.status != http.StatusOK || answer.body != inactive {
					t.Errorf("%s: introspection says %d %q", name, answer.status, answer.body)
				}
			case answer.status != http.StatusUnauthorized || answer.header.Get("WWW-Authenticate") == "":
				t.Errorf("%s at %s: %d %s", name, where, answer.status, answer.body)
			}
		}
	}
	if after := len(w.app.Requests()); after != before {
		t.Errorf("%d requests with forged tokens reached the upstream", after-before)
	}
}

func TestRefusal_AccessTokensInTheWrongPlace(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient, otherClient)
	alice := w.alice(t)
	access := alice.tokens(authorization("web")).text("access_token")
	bearer := "Authorization: Bearer " + access
	for name, a := range map[string]answer{
		"in the URL":     w.send(t, http.MethodGet, w.issuer+"/userinfo?access_token="+access, ""),
		"in the body":    w.post(t, "userinfo", url.Values{"access_token": {access}}),
		"by Basic":       w.send(t, http.MethodGet, w.issuer+"/userinfo", "", "Authorization: Basic "+access),
		"without scheme": w.send(t, http.MethodGet, w.issuer+"/userinfo", "", "Authorization: "+access),
		"nowhere":        w.send(t, http.MethodGet, w.issuer+"/userinfo", ""),
	} {
		challenge := a.header.Get("WWW-Authenticate")
		if a.status != http.StatusUnauthorized || !strings.HasPrefix(challenge, "Bearer") || strings.Contains(challenge, "error=") {
			t.Errorf("%s: %d %s, want 401 and a challenge without error", name, a.status, challenge)
		}
	}
	if a := w.send(t, http.MethodGet, w.issuer+"/userinfo", "", bearer, bearer); a.status != http.StatusBadRequest {
		t.Errorf("twice: %d", a.status)
	}
	if a := w.send(t, http.MethodGet, w.issuer+"/userinfo", "", "Authorization: DPoP "+access); a.status != http.StatusUnauthorized {
		t.Errorf("an unbound token as DPoP: %d", a.status)
	}
	if a := w.send(t, http.MethodGet, w.api+"/api", "", bearer, "Accept: application/json"); a.status != http.StatusUnauthorized {
		t.Errorf("a token for the issuer opens a guarded site: %d", a.status)
	}
	for _, scheme := range []string{"bearer", "BEARER", "bEaReR"} {
		if a := w.send(t, http.MethodGet, w.issuer+"/userinfo", "", "Authorization: "+scheme+" "+access); a.status != http.StatusOK {
			t.Errorf("%s: %d", scheme, a.status)
		}
	}
	narrow := alice.tokens(change(authorization("web"), func(q url.Values) { q.Set("scope", "profile") }))
	a := w.send(t, http.MethodGet, w.issuer+"/userinfo", "", "Authorization: Bearer "+narrow.text("access_token"))
	if a.status != http.StatusForbidden || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
		t.Errorf("without openid: %d %s", a.status, a.header.Get("WWW-Authenticate"))
	}
}

// TestRefusal_ExpiredAccessTokens: introspection tells expired, revoked,
// foreign and unknown apart for nobody.
func TestRefusal_ExpiredAccessTokens(t *testing.T) {
	t.Parallel()
	w := start(t, "http", strings.Replace(webClient, "first_party", "first_party\naccess_token_lifetime 1s", 1), otherClient)
	alice := w.alice(t)
	got := alice.tokens(authorization("web"))
	access := got.text("access_token")
	introspect := func(token string, headers ...string) answer {
		return w.post(t, "introspect", url.Values{"token": {token}}, headers...)
	}
	if foreign := introspect(access, basic("other", otherSecret)); foreign.body != inactive {
		t.Errorf("a foreign token: %q", foreign.body)
	}
	for deadline := time.Now().Add(30 * time.Second); introspect(access, basic("web", webSecret)).body != inactive; {
		if time.Now().After(deadline) {
			t.Fatal("a token of one second is active after thirty")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a := w.send(t, http.MethodGet, w.issuer+"/userinfo", "", "Authorization: Bearer "+access); a.status != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", a.status)
	}
	introspect(access).want(t, "without authentication", http.StatusUnauthorized, "invalid_client")
	w.post(t, "introspect", url.Values{"token": {access}, "client_id": {"cli"}}).
		want(t, "a public client", http.StatusUnauthorized, "invalid_client")
	w.send(t, http.MethodPost, w.issuer+"/introspect?token="+access, "", basic("web", webSecret), "Content-Type: application/x-www-form-urlencoded").
		want(t, "a token in the URL", http.StatusBadRequest, "invalid_request")
	w.post(t, "introspect", url.Values{"token": {access, access}}, basic("web", webSecret)).
		want(t, "two tokens", http.StatusBadRequest, "invalid_request")

	refresh := got.text("refresh_token")
	w.post(t, "revoke", url.Values{"token": {refresh}, "client_id": {"cli"}}).
		want(t, "revocation of a public client", http.StatusBadRequest, "invalid_grant") // RFC 7009, section 2.1
	unknown := url.Values{"token": {"x"}, "token_type_hint": {"refresh_token"}}
	if a := w.post(t, "revoke", unknown, basic("other", otherSecret)); a.status != http.StatusOK || a.body != "" {
		t.Errorf("revocation by a wrong hint: %d %q", a.status, a.body)
	}
	if a := introspect(refresh, basic("web", webSecret)); a.json["active"] != true {
		t.Error("a stranger revoked a refresh token")
	}
	if a := w.post(t, "revoke", url.Values{"token": {refresh}, "token_type_hint": {"access_token"}}, basic("web", webSecret)); a.status != http.StatusOK {
		t.Errorf("revocation with a wrong hint: %d", a.status)
	}
	if a := introspect(refresh, basic("web", webSecret)); a.body != inactive {
		t.Errorf("the hint kept a revocation from finding its token: %q", a.body)
	}
}
