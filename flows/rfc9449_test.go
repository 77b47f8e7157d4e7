package flows_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

func thumbprint(t *testing.T, h *holder) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(5) // crypto.SHA256
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Sections 4.2 and 4.3: what is no proof, though it is signed well.
func TestRFC9449_Proofs(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	w.clock.hold(0)
	mine := newHolder(t, w.clock.now)
	endpoint := w.portalURL() + "/token"
	form := url.Values{"grant_type": {"client_credentials"}}
	claim := func(name string, value any) string {
		return mine.proof("POST", endpoint, "", func(_, c map[string]any) { c[name] = value })
	}
	head := func(name string, value any) string {
		return mine.proof("POST", endpoint, "", func(h, _ map[string]any) { h[name] = value })
	}
	for name, proof := range map[string]string{
		"a minute old":         claim("iat", w.clock.now().Add(-time.Minute).Unix()),
		"a minute early":       claim("iat", w.clock.now().Add(time.Minute).Unix()),
		"with a fraction":      claim("iat", float64(w.clock.now().Unix())+0.5),
		"with a query":         claim("htu", endpoint+"?x=1#y"),
		"host in upper case":   claim("htu", strings.Replace(endpoint, "portal.test", "PORTAL.test", 1)),
		"scheme in upper case": claim("htu", strings.Replace(endpoint, "http:", "HTTP:", 1)),
	} {
		if got := w.call("token", form, basic("web"), "DPoP: "+proof); got.status != http.StatusOK || got.answer.text("token_type") != "DPoP" {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	symmetric := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"htm": "POST", "htu": endpoint, "iat": w.clock.now().Unix(), "jti": "1"})
	symmetric.Header["typ"], symmetric.Header["jwk"] = "dpop+jwt", map[string]any{"kty": "oct", "k": "AAAA"}
	shared, err := symmetric.SignedString([]byte{0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodNone, symmetric.Claims)
	unsigned.Header["typ"], unsigned.Header["jwk"] = "dpop+jwt", json.RawMessage(publicJWK(mine))
	none, err := unsigned.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	good := mine.proof("POST", endpoint, "", nil)
	for name, proof := range map[string]string{
		"too old":              claim("iat", w.clock.now().Add(-61*time.Second).Unix()),
		"too early":            claim("iat", w.clock.now().Add(61*time.Second).Unix()),
		"iat in words":         claim("iat", "now"),
		"iat in quotes":        claim("iat", strconv.FormatInt(w.clock.now().Unix(), 10)),
		"htm in upper case":    mine.proof("POST", endpoint, "", func(_, c map[string]any) { c["HTM"] = c["htm"]; delete(c, "htm") }),
		"jku":                  head("jku", "https://evil.test/"),
		"a key of encryption":  head("jwk", json.RawMessage(strings.Replace(string(publicJWK(mine)), "{", `{"use":"enc",`, 1))),
		"iat without end":      claim("iat", 1e300),
		"another method":       claim("htm", "post"),
		"a method that is two": claim("htm", []string{"POST"}),
		"another path":         claim("htu", endpoint+"/"),
		"another case of path": claim("htu", w.portalURL()+"/TOKEN"),
		"a detour":             claim("htu", w.portalURL()+"/x/../token"),
		"another port":         claim("htu", "http://portal.test:1/token"),
		"another scheme":       claim("htu", strings.Replace(endpoint, "http:", "https:", 1)),
		"with a user":          claim("htu", strings.Replace(endpoint, "://", "://x@", 1)),
		"a relative target":    claim("htu", "/token"),
		"no target":            claim("htu", ""),
		"a target in a list":   claim("htu", []string{endpoint}),
		"no jti":               claim("jti", ""),
		"a jti in a list":      claim("jti", []string{"x"}),
		"a jti without end":    claim("jti", strings.Repeat("x", 257)),
		"typ in upper case":    head("typ", "DPOP+JWT"),
		"a key that is a text": head("jwk", "x"),
		"a key without type":   head("jwk", map[string]any{}),
		"a private key":        head("jwk", json.RawMessage(privateJWK(mine))),
		"a key of another":     head("jwk", json.RawMessage(publicJWK(newHolder(t, w.clock.now)))),
		"crit":                 head("crit", []string{"iat"}),
		"HS256":                shared,
		"alg none":             none,
		"cut short":            good[:len(good)-1],
		"extended":             good + "A",
		"unsigned":             good[:strings.LastIndexByte(good, '.')+1],
		"no JWT":               "x",
		"very long":            good + strings.Repeat("A", 9000),
	} {
		w.call("token", form, basic("web"), "DPoP: "+proof).refused(t, name, http.StatusBadRequest, "invalid_dpop_proof")
	}
	w.call("token", form, basic("web"), "DPoP: ").refused(t, "empty", http.StatusBadRequest, "invalid_dpop_proof")
	if got := w.call("token", form, basic("web"), "DPoP: "+good); got.status != http.StatusOK {
		t.Fatalf("the good one: %d %s", got.status, got.text)
	}
	// Remembered for as long as it is fresh.
	w.clock.hold(time.Minute)
	w.call("token", form, basic("web"), "DPoP: "+good).refused(t, "again, a minute later", http.StatusBadRequest, "invalid_dpop_proof")
}

// RFC 7518, section 3.3: an RSA key has 2048 bits at least.
func TestRFC9449_WeakKeys(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for bits, good := range map[int]bool{1024: false, 2048: true} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		public, err := jose.JSONWebKey{Key: key.Public()}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		made := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"htm": "POST", "htu": w.portalURL() + "/token", "iat": w.clock.now().Unix(), "jti": fmt.Sprint(bits)})
		made.Header["typ"], made.Header["jwk"] = "dpop+jwt", json.RawMessage(public)
		proof, err := made.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		got := w.call("token", url.Values{"grant_type": {"client_credentials"}}, basic("web"), "DPoP: "+proof)
		if good != (got.status == http.StatusOK) {
			t.Errorf("%d bits: %d %s", bits, got.status, got.text)
		}
	}
}

// Section 10: a code that was asked for with a key is redeemed with that key.
func TestRFC9449_CodesAreBoundToTheKey(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	mine, other := newHolder(t, w.clock.now), newHolder(t, w.clock.now)
	params := with(authorizeParams("native", "com.example.app:/cb", "openid offline_access"), nil)
	pushed := func(proof string, change func(url.Values)) said {
		return w.call("par", with(params, change), "DPoP: "+proof)
	}
	at := func(endpoint string, h *holder) string { return h.proof("POST", w.portalURL()+"/"+endpoint, "", nil) }
	pushed(at("par", mine), set("dpop_jkt", thumbprint(t, other))).refused(t, "a proof of another key than named", http.StatusBadRequest, "invalid_dpop_proof")
	pushed(at("token", mine), nil).refused(t, "a proof for another endpoint", http.StatusBadRequest, "invalid_dpop_proof")
	b.getConsenting(w.portalURL() + "/authorize?" + params.Encode()) // an app's own scheme
	byProof := pushed(at("par", mine), nil).answer.text("request_uri")
	byBoth := pushed(at("par", mine), set("dpop_jkt", thumbprint(t, mine))).answer.text("request_uri")
	for name, params := range map[string]url.Values{
		"dpop_jkt":       with(params, set("dpop_jkt", thumbprint(t, mine))),
		"a proof at PAR": {"client_id": {"native"}, "request_uri": {byProof}, "redirect_uri": {"com.example.app:/cb"}},
		"both":           {"client_id": {"native"}, "request_uri": {byBoth}, "redirect_uri": {"com.example.app:/cb"}},
	} {
		code := w.toClient(b, params).Get("code")
		form := with(redeem(code), func(v url.Values) { v.Set("client_id", "native"); v.Set("redirect_uri", "com.example.app:/cb") })
		w.call("token", form).refused(t, name+", no proof", http.StatusBadRequest, "invalid_grant")
		w.call("token", form, "DPoP: "+at("token", other)).refused(t, name+", another key", http.StatusBadRequest, "invalid_grant")
		if got := w.call("token", form, "DPoP: "+at("token", mine)); got.status != http.StatusOK || got.answer.text("token_type") != "DPoP" {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

// Sections 5, 6 and 7: who holds the key, holds the token.
func TestRFC9449_BoundTokens(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	mine, other := newHolder(t, w.clock.now), newHolder(t, w.clock.now)
	proof := func(h *holder) string { return "DPoP: " + h.proof("POST", w.portalURL()+"/token", "", nil) }
	got := w.call("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))), basic("web"), proof(mine))
	access := got.answer.text("access_token")
	_, claims := claimsOf(t, access)
	cnf, _ := claims["cnf"].(map[string]any)
	if got.answer.text("token_type") != "DPoP" || cnf["jkt"] != thumbprint(t, mine) {
		t.Fatalf("%s, bound to %v", got.text, cnf)
	}
	seen := w.call("introspect", url.Values{"token": {access}}, basic("web"))
	if cnf, _ := seen.body["cnf"].(map[string]any); cnf["jkt"] != thumbprint(t, mine) || seen.body["token_type"] != "DPoP" {
		t.Errorf("introspection: %s", seen.text)
	}
	at := w.portalURL() + "/userinfo"
	for name, c := range map[string]struct {
		scheme, proof string
		status        int
	}{
		"with the key":       {"DPoP", mine.proof("GET", at, access, nil), http.StatusOK},
		"in lower case":      {"dpop", mine.proof("GET", at, access, nil), http.StatusOK},
		"as bearer":          {"Bearer", "", http.StatusUnauthorized},
		"as bearer, proven":  {"Bearer", mine.proof("GET", at, access, nil), http.StatusUnauthorized},
		"without proof":      {"DPoP", "", http.StatusUnauthorized},
		"another key":        {"DPoP", other.proof("GET", at, access, nil), http.StatusUnauthorized},
		"for another token":  {"DPoP", mine.proof("GET", at, access+"x", nil), http.StatusUnauthorized},
		"for no token":       {"DPoP", mine.proof("GET", at, "", nil), http.StatusUnauthorized},
		"for another method": {"DPoP", mine.proof("POST", at, access, nil), http.StatusUnauthorized},
		"for another target": {"DPoP", mine.proof("GET", at+"x", access, nil), http.StatusUnauthorized},
	} {
		headers := []string{"Authorization: " + c.scheme + " " + access}
		if c.proof != "" {
			headers = append(headers, "DPoP: "+c.proof)
		}
		got := w.send(http.MethodGet, at, "", headers...)
		if got.status != c.status {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
		if c.status == http.StatusOK {
			continue
		}
		// Section 7.1: the challenge of the scheme that was used says why.
		for _, challenge := range got.header.Values("WWW-Authenticate") {
			scheme, rest, _ := strings.Cut(challenge, " ")
			if says := strings.Contains(rest, `error="invalid_token"`); says != (scheme == c.scheme) {
				t.Errorf("%s: %s", name, challenge)
			}
		}
		if len(got.header.Values("WWW-Authenticate")) != 2 {
			t.Errorf("%s: challenges %q", name, got.header.Values("WWW-Authenticate"))
		}
	}
	used := mine.proof("GET", at, access, nil)
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		if got := w.send(http.MethodGet, at, "", "Authorization: DPoP "+access, "DPoP: "+used); got.status != want {
			t.Errorf("one proof, used again: %d, want %d", got.status, want)
		}
	}
	// A client with a secret may change its key: the secret is what holds its
	// refresh token. The new access token is bound to the new key.
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}}
	next := w.call("token", refresh, basic("web"), proof(other))
	if next.status != http.StatusOK {
		t.Fatalf("another key: %d %s", next.status, next.text)
	}
	_, claims = claimsOf(t, next.answer.text("access_token"))
	if cnf, _ := claims["cnf"].(map[string]any); cnf["jkt"] != thumbprint(t, other) {
		t.Errorf("bound to %v", cnf)
	}
}
