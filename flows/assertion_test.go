package flows_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
)

// keyed is a client that proves who it is by a key.
type keyed struct {
	*holder
	w *world
}

func newKeyed(t *testing.T) keyed {
	t.Helper()
	k, _ := countedKeyed(t)
	return k
}

func countedKeyed(t *testing.T) (keyed, *trips) {
	t.Helper()
	key := newHolder(t, time.Now)
	w, n := counted(t, worldOptions{portal: true, clients: append(oauthClients(), &client.Client{
		ID: "keyed", Keys: map[string]clientjwt.Key{"k1": {Public: key.key.Public()}}, Grants: []string{client.GrantClientCredentials}, Scopes: []string{},
	})})
	w.clock.hold(0)
	key.now = w.clock.now
	return keyed{key, w}, n
}

// assertion makes one that is in order; change may spoil it.
func (k keyed) assertion(change func(header map[string]any, claims jwt.MapClaims)) string {
	k.t.Helper()
	claims := jwt.MapClaims{
		"iss": "keyed", "sub": "keyed", "aud": k.w.portalURL(), "jti": rand.Text(),
		"iat": k.now().Unix(), "exp": k.now().Add(time.Minute).Unix(),
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = "k1"
	if change != nil {
		change(token.Header, claims)
	}
	signed, err := token.SignedString(k.key)
	if err != nil {
		k.t.Fatal(err)
	}
	return signed
}

// present asks for a token with an assertion.
func (k keyed) present(assertion string) said {
	k.t.Helper()
	return k.w.call("token", url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	})
}

func claim(name string, value any) func(map[string]any, jwt.MapClaims) {
	return func(_ map[string]any, c jwt.MapClaims) {
		if value == nil {
			delete(c, name)
			return
		}
		c[name] = value
	}
}

func TestPrivateKeyJWT_WhatIsTaken(t *testing.T) {
	k := newKeyed(t)
	issuer, in := k.w.portalURL(), func(d time.Duration) int64 { return k.now().Add(d).Unix() }
	for name, change := range map[string]func(map[string]any, jwt.MapClaims){
		"in order":                        nil,
		"an array of one":                 claim("aud", []string{issuer}),
		"issuer and token endpoint":       claim("aud", []string{issuer, issuer + "/token"}),
		"token endpoint and issuer":       claim("aud", []string{issuer + "/token", issuer}),
		"no jti":                          claim("jti", nil),
		"an empty jti":                    claim("jti", ""),
		"an hour":                         claim("exp", in(time.Hour)),
		"an hour, by a clock that is off": claim("exp", in(time.Hour+20*time.Second)),
		"just expired":                    claim("exp", in(-20*time.Second)),
		"no iat":                          claim("iat", nil),
		"no kid":                          func(h map[string]any, _ jwt.MapClaims) { delete(h, "kid") },
		"the type of rfc7523bis":          func(h map[string]any, _ jwt.MapClaims) { h["typ"] = "client-authentication+jwt" },
	} {
		if got := k.present(k.assertion(change)); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
}

// RFC 6749, section 5.2, and RFC 7521, section 4.2: a client that names no type, or
// another, is told so.
func TestPrivateKeyJWT_AnotherType(t *testing.T) {
	k := newKeyed(t)
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {"x"}}
	for _, kind := range []string{"", "jwt-bearer", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"} {
		got := k.w.call("token", with(form, set("client_assertion_type", kind)))
		got.refused(t, "type "+kind, http.StatusBadRequest, "invalid_request")
		if !strings.Contains(got.answer.text("error_description"), "client_assertion_type") {
			t.Errorf("type %q: %s", kind, got.text)
		}
	}
	got := k.w.call("token", form)
	if got.refused(t, "no type", http.StatusBadRequest, "invalid_request"); !strings.Contains(got.text, "client_assertion_type") {
		t.Error(got.text)
	}
}

func TestPrivateKeyJWT_WhatIsRefused(t *testing.T) {
	k := newKeyed(t)
	issuer, in := k.w.portalURL(), func(d time.Duration) int64 { return k.now().Add(d).Unix() }
	for name, c := range map[string]struct {
		change func(map[string]any, jwt.MapClaims)
		told   string // beyond that it failed
	}{
		"another audience":         {claim("aud", "https://evil.test"), "aud"},
		"another one beside":       {claim("aud", []string{issuer, "https://evil.test"}), "aud"},
		"another one beside both":  {claim("aud", []string{issuer, issuer + "/token", "https://evil.test/token"}), "aud"},
		"token endpoint alone":     {claim("aud", issuer+"/token"), "aud"},
		"token endpoint in array":  {claim("aud", []string{issuer + "/token"}), "aud"},
		"another server's issuer":  {claim("aud", []string{"https://evil.test", issuer + "/token"}), "aud"},
		"another endpoint beside":  {claim("aud", []string{issuer, issuer + "/par"}), "aud"},
		"an empty audience beside": {claim("aud", []string{issuer, ""}), "aud"},
		"issuer with a slash":      {claim("aud", issuer+"/"), "aud"},
		"no audience":              {claim("aud", nil), "aud"},
		"an empty array":           {claim("aud", []string{}), "aud"},
		"an audience of numbers":   {claim("aud", []int{1}), ""},
		"another subject":          {claim("sub", "web"), ""},
		"another issuer":           {claim("iss", "web"), ""},
		"an unknown client":        {func(_ map[string]any, c jwt.MapClaims) { c["iss"], c["sub"] = "nobody", "nobody" }, ""},
		"expired":                  {claim("exp", in(-time.Hour)), "expired"},
		"no expiry":                {claim("exp", nil), "expired"},
		"issued tomorrow":          {claim("iat", in(24*time.Hour)), "expired"},
		"not valid yet":            {claim("nbf", in(10*time.Minute)), "expired"},
		"more than an hour":        {claim("exp", in(time.Hour+2*time.Minute)), "within an hour"},
		"a year":                   {claim("exp", in(365*24*time.Hour)), "within an hour"},
		"a jti that is no string":  {claim("jti", 1), ""},
		"unknown kid":              {func(h map[string]any, _ jwt.MapClaims) { h["kid"] = "k2" }, ""},
		"exp in quotes":            {claim("exp", strconv.FormatInt(in(time.Minute), 10)), ""},
		"sub in upper case":        {func(_ map[string]any, c jwt.MapClaims) { c["SUB"] = c["sub"]; delete(c, "sub") }, ""},
		"jku":                      {func(h map[string]any, _ jwt.MapClaims) { h["jku"] = "https://keyed.test/jwks.json" }, ""},
		"a key of its own":         {func(h map[string]any, _ jwt.MapClaims) { h["jwk"] = map[string]any{"kty": "EC"} }, ""},
		"crit":                     {func(h map[string]any, _ jwt.MapClaims) { h["crit"] = []string{"x"} }, ""},
	} {
		got := k.present(k.assertion(c.change))
		got.refused(t, name, http.StatusUnauthorized, "invalid_client")
		if told := strings.TrimPrefix(withoutReference(got.answer.text("error_description")), "client authentication failed"); (told == "") != (c.told == "") || !strings.Contains(told, c.told) {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	broken := k.assertion(nil)
	k.present(broken[:len(broken)-9]+"\r\n"+broken[len(broken)-9:]).refused(t, "a line break in the signature", http.StatusUnauthorized, "invalid_client")
	// Somebody without the key learns nothing of what else is wrong.
	stranger := keyed{newHolder(t, k.now), k.w}
	if got := stranger.present(stranger.assertion(claim("aud", "https://evil.test"))); withoutReference(got.answer.text("error_description")) != "client authentication failed" {
		t.Errorf("a stranger is told %s", got.text)
	}
}

func TestRoundTrips_PrivateKeyJWT(t *testing.T) {
	k, n := countedKeyed(t)
	assertion := k.assertion(claim("jti", nil))
	n.want(t, "an assertion", 0, 1, func() { k.present(assertion) })
	n.want(t, "a replay", 0, 1, func() { k.present(assertion) })
	n.want(t, "one for another server", 0, 0, func() { k.present(k.assertion(claim("aud", "https://evil.test"))) })
}

func TestPrivateKeyJWT_IsUsedOnce(t *testing.T) {
	k := newKeyed(t)
	once := func(name, first string, again ...string) {
		t.Helper()
		if got := k.present(first); got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, got.status, got.text)
		}
		for _, replay := range again {
			if got := k.present(replay); got.status != http.StatusUnauthorized || !strings.Contains(got.text, "used already") {
				t.Errorf("%s, again: %d %s", name, got.status, got.text)
			}
		}
	}
	named := k.assertion(claim("jti", "one"))
	once("with a jti", named, named, k.assertion(claim("jti", "one")), k.assertion(func(_ map[string]any, c jwt.MapClaims) {
		c["jti"], c["exp"] = "one", k.now().Add(time.Hour).Unix()
	}))
	bare := k.assertion(claim("jti", nil))
	once("without", bare, bare, otherSignature(bare))
	flipped := otherSignature(k.assertion(claim("jti", nil)))
	once("without, flipped first", flipped, otherSignature(flipped), flipped)
	// Every endpoint is the same server.
	if got := k.w.call("introspect", url.Values{
		"token": {"x"}, "client_assertion": {bare}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}); got.status != http.StatusUnauthorized {
		t.Errorf("at another endpoint: %d %s", got.status, got.text)
	}
	// As long as it is good, to the last second of a clock that is off.
	long := k.assertion(func(_ map[string]any, c jwt.MapClaims) { c["exp"] = k.now().Add(time.Hour).Unix(); delete(c, "jti") })
	once("for an hour", long)
	for _, d := range []time.Duration{30 * time.Minute, 29 * time.Minute, time.Minute, 25 * time.Second} {
		k.w.clock.advance(d)
		if got := k.present(long); got.status != http.StatusUnauthorized || !strings.Contains(got.text, "used already") {
			t.Errorf("%v later: %d %s", d, got.status, got.text)
		}
	}
	k.w.clock.advance(time.Minute)
	if got := k.present(long); !strings.Contains(got.text, "expired") {
		t.Errorf("at last: %d %s", got.status, got.text)
	}
}

// otherSignature turns an ES256 signature (r, s) into (r, n-s), which is one too
// and which anybody can make.
func otherSignature(assertion string) string {
	dot := strings.LastIndexByte(assertion, '.')
	signature, err := base64.RawURLEncoding.DecodeString(assertion[dot+1:])
	if err != nil {
		panic(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return assertion[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
}
