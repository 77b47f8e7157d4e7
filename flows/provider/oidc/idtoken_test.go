package oidc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestIDTokenClaims(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(obj) { return func(c obj) { c[name] = value } }
	raw := func(name, value string) func(obj) { return set(name, json.RawMessage(value)) }
	for _, tt := range []struct {
		name string
		edit func(obj)
		ok   bool
	}{
		{"as it should be", nil, true},
		{"wrong nonce", set("nonce", "other"), false},
		{"no nonce", set("nonce", nil), false},
		{"empty nonce", set("nonce", ""), false},
		{"nonce is an array", set("nonce", []string{"nonce"}), false},
		{"nonce by another name", func(c obj) { c["nonce"] = nil; c["Nonce"] = "nonce" }, false},

		{"wrong audience", set("aud", "other"), false},
		{"no audience", set("aud", nil), false},
		{"audience array with us", set("aud", []string{"client"}), true},
		{"audience array without us", set("aud", []string{"a", "b"}), false},
		{"several audiences, no azp", set("aud", []string{"client", "other"}), false},
		{"several audiences, azp", func(c obj) { c["aud"], c["azp"] = []string{"client", "other"}, "client" }, true},
		{"several audiences, other azp", func(c obj) { c["aud"], c["azp"] = []string{"client", "other"}, "other" }, false},
		{"one audience, other azp", set("azp", "other"), false},
		{"azp is a number", set("azp", 1), false},
		{"audience array with a number", set("aud", []any{"client", 1}), false},
		{"audience array with null", set("aud", []any{"client", nil}), false},
		{"audience by another name", func(c obj) { c["aud"] = "other"; c["AUD"] = "client" }, false},

		{"other issuer", set("iss", "https://evil.example"), false},
		{"no issuer", set("iss", nil), false},
		{"issuer in another case", func(c obj) { c["iss"] = strings.ToUpper(c["iss"].(string)) }, false},
		{"issuer with a slash", func(c obj) { c["iss"] = c["iss"].(string) + "/" }, false},

		{"no subject", set("sub", nil), false},
		{"empty subject", set("sub", ""), false},
		{"subject is a number", set("sub", 7), false},
		{"long subject", set("sub", strings.Repeat("x", 256)), false},
		{"subject with NUL", set("sub", "a\x00b"), false},
		{"subject by another name", func(c obj) { c["sub"] = nil; c["SUB"] = "admin" }, false},

		{"expired", set("exp", noon.Add(-2*time.Minute).Unix()), false},
		{"expired within the leeway", set("exp", noon.Add(-30*time.Second).Unix()), true},
		{"no expiry", set("exp", nil), false},
		{"expiry 1e300", raw("exp", "1e300"), false},
		{"expiry in words", set("exp", "soon"), false},
		{"expiry in a string", set("exp", "1900000000"), false},
		{"negative expiry", set("exp", -1), false},
		{"expiry is an array", set("exp", []int{1900000000}), false},
		{"fractional expiry", raw("exp", "1900000000.5"), true},
		{"no issue date", set("iat", nil), false},
		{"issued in 2038", set("iat", 2147483648), false},
		{"issued within the leeway", set("iat", noon.Add(30*time.Second).Unix()), true},
		{"issued two minutes from now", set("iat", noon.Add(2*time.Minute).Unix()), false},
		{"negative issue date", set("iat", -5), false},
		{"issue date 1e300", raw("iat", "1e300"), false},
		{"issue date in a string", set("iat", "1700000000"), false},
		{"not valid yet", set("nbf", noon.Add(2*time.Minute).Unix()), false},
		{"signed in in the future", set("auth_time", noon.Add(time.Hour).Unix()), false},
		{"auth_time in a string", set("auth_time", "1700000000"), false},
		{"wrong at_hash", set("at_hash", "x"), false},
		{"a claim twice", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims = func(c obj) {
				apply(tt.edit, c)
			}
			if tt.name == "a claim twice" { // as no encoder writes it
				o.sign = func(payload []byte) string {
					twice := strings.Replace(string(payload), `"groups":`, `"groups":["bad"],"groups":`, 1)
					return signed(t, jose.ES256, o.key, []byte(twice), obj{"kid": "1"})
				}
			}
			got, err := signIn(t.Context(), o.client(nil))
			if tt.ok {
				if err != nil {
					t.Errorf("Exchange() = %v", err)
				}
				return
			}
			if !errors.Is(err, provider.ErrResponse) {
				t.Errorf("Exchange() = %+v, %v, want ErrResponse", got.Claims, err)
			}
		})
	}
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		authTime any
		ok       bool
		again    bool // ErrReauthentication
	}{
		{"recent", noon.Add(-4 * time.Minute).Unix(), true, false},
		{"too long ago", noon.Add(-7 * time.Minute).Unix(), false, true},
		{"not told", nil, false, true},
		{"zero", 0, false, false},
	} {
		o := newOP(t)
		o.claims = func(c obj) { c["auth_time"] = tt.authTime }
		c := callback()
		c.MaxAge = 5 * time.Minute
		got, err := o.client(nil).Exchange(t.Context(), c)
		if tt.ok != (err == nil) || err != nil && !errors.Is(err, provider.ErrResponse) ||
			errors.Is(err, provider.ErrReauthentication) != tt.again {
			t.Errorf("%s: Exchange() = %v", tt.name, err)
		}
		if tt.ok && !got.Claims.AuthTime.Equal(time.Unix(tt.authTime.(int64), 0)) {
			t.Errorf("%s: auth_time is %v", tt.name, got.Claims.AuthTime)
		}
	}
}

// keycloak#33641: a provider that does not tell when somebody signed in. Whether it did
// as prompt=login asked it is known only where the prompt could not be taken out on the
// way, or the operator vouches for that; of max_age alone nothing is known (OpenID
// Connect Core, section 3.1.2.1).
func TestSignedInAgainWithoutAuthTime(t *testing.T) {
	t.Parallel()
	for _, how := range []struct {
		name     string
		edit     func(*Config)
		shown    bool
		required bool
	}{
		{"by the browser", nil, false, false},
		{"pushed", func(c *Config) { c.PAR = true }, true, false},
		{"pushed, since the provider requires it", nil, true, true},
		{"trusted", func(c *Config) { c.TrustPrompt = true }, true, false},
	} {
		for _, asked := range []struct {
			prompt string
			maxAge time.Duration
		}{{"", -1}, {"login", -1}, {"login", time.Hour}, {"login", 0}, {"", time.Hour}, {"consent", time.Hour}, {"select_account", -1}} {
			o := newOP(t)
			o.metadata = func(m obj) {
				m["pushed_authorization_request_endpoint"] = o.URL + "/par"
				m["require_pushed_authorization_requests"] = how.required
			}
			c := callback()
			c.Prompt, c.MaxAge = asked.prompt, asked.maxAge
			got, err := o.client(how.edit).Exchange(t.Context(), c)
			isShown := how.shown && asked.prompt == "login"
			if refused := asked.maxAge >= 0 && !isShown; refused != errors.Is(err, provider.ErrReauthentication) || refused != (err != nil) {
				t.Errorf("%s, prompt %q, max_age %v: %v", how.name, asked.prompt, asked.maxAge, err)
				continue
			}
			if at := got.Claims.AuthTime; isShown != at.Equal(noon) || !isShown && !at.IsZero() {
				t.Errorf("%s, prompt %q, max_age %v: auth_time %v", how.name, asked.prompt, asked.maxAge, at)
			}
		}
	}
	// What the provider says counts before our clock.
	o := newOP(t)
	o.claims = func(c obj) { c["auth_time"] = noon.Add(-time.Hour).Unix() }
	c := callback()
	c.Prompt, c.MaxAge = "login", time.Minute
	if _, err := o.client(func(c *Config) { c.TrustPrompt = true }).Exchange(t.Context(), c); !errors.Is(err, provider.ErrReauthentication) {
		t.Errorf("signed in an hour ago: %v", err)
	}
}

func TestIDTokenForm(t *testing.T) {
	t.Parallel()
	b64 := base64.RawURLEncoding.EncodeToString
	good := func(o *op, payload []byte) string {
		return signed(o.t, jose.ES256, o.key, payload, obj{"kid": "1"})
	}
	header := func(h obj) func(*op, []byte) string {
		return func(o *op, payload []byte) string { return signed(o.t, jose.ES256, o.key, payload, h) }
	}
	for _, tt := range []struct {
		name string
		sign func(o *op, payload []byte) string
		ok   bool
	}{
		{"as it should be", good, true},
		{"typ JWT", header(obj{"kid": "1", "typ": "JWT"}), true},
		{"no kid, one key", header(nil), true},
		{"alg none", func(_ *op, p []byte) string { return b64([]byte(`{"alg":"none","kid":"1"}`)) + "." + b64(p) + "." }, false},
		{"alg none with a signature", func(_ *op, p []byte) string {
			return b64([]byte(`{"alg":"none","kid":"1"}`)) + "." + b64(p) + ".AAAA"
		}, false},
		{"alg NONE", func(_ *op, p []byte) string { return b64([]byte(`{"alg":"NONE"}`)) + "." + b64(p) + "." }, false},
		{"HS256 with the client secret", func(o *op, p []byte) string {
			return signed(o.t, jose.HS256, []byte("s3cr3t-that-is-32-bytes-long-....."), p, obj{"kid": "1"})
		}, false},
		{"HS256 with the public key", func(o *op, p []byte) string {
			public, err := o.key.PublicKey.Bytes()
			if err != nil {
				o.t.Fatal(err)
			}
			return signed(o.t, jose.HS256, public, p, obj{"kid": "1"})
		}, false},
		{"another key", func(o *op, p []byte) string { return signed(o.t, jose.ES256, newOP(o.t).key, p, obj{"kid": "1"}) }, false},
		{"key in the header", func(o *op, p []byte) string {
			evil := newOP(o.t).key
			return signed(o.t, jose.ES256, evil, p, obj{"kid": "1", "jwk": jose.JSONWebKey{Key: &evil.PublicKey}})
		}, false},
		{"our key in the header", func(o *op, p []byte) string {
			return signed(o.t, jose.ES256, o.key, p, obj{"kid": "1", "jwk": jose.JSONWebKey{Key: &o.key.PublicKey}})
		}, false},
		{"jku", header(obj{"kid": "1", "jku": "https://evil.example/keys"}), false},
		{"x5u", header(obj{"kid": "1", "x5u": "https://evil.example/cert"}), false},
		{"crit", header(obj{"kid": "1", "crit": []string{"exp"}}), false},
		{"access token", header(obj{"kid": "1", "typ": "at+jwt"}), false},
		{"logout token", header(obj{"kid": "1", "typ": "logout+jwt"}), false},
		{"typ is a number", header(obj{"kid": "1", "typ": 1}), false},
		{"kid is a path", header(obj{"kid": "../../etc/passwd"}), false},
		{"kid of 100 KiB", header(obj{"kid": strings.Repeat("k", 100<<10)}), false},
		{"padded", func(o *op, p []byte) string { return good(o, p) + "=" }, false},
		{"line break", func(o *op, p []byte) string { return good(o, p) + "\n" }, false},
		{"stray bits", func(o *op, p []byte) string { return stray(good(o, p)) }, false},
		{"four parts", func(o *op, p []byte) string { return good(o, p) + ".x" }, false},
		{"truncated", func(o *op, p []byte) string { s := good(o, p); return s[:len(s)-4] }, false},
		{"no signature", func(o *op, p []byte) string { s := good(o, p); return s[:strings.LastIndex(s, ".")+1] }, false},
		{"JSON form", func(o *op, p []byte) string {
			token, err := jose.ParseSignedCompact(good(o, p), []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				o.t.Fatal(err)
			}
			return token.FullSerialize()
		}, false},
		{"1 MB of dots", func(*op, []byte) string { return strings.Repeat(".", 1000000) }, false},
		{"claims are an array", func(o *op, _ []byte) string { return good(o, []byte(`[]`)) }, false},
		{"claims are null", func(o *op, _ []byte) string { return good(o, []byte(`null`)) }, false},
		{"empty", func(*op, []byte) string { return "" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.sign = func(payload []byte) string { return tt.sign(o, payload) }
			got, err := signIn(t.Context(), o.client(nil))
			if tt.ok != (err == nil) || err != nil && !errors.Is(err, provider.ErrResponse) {
				t.Errorf("Exchange() = %+v, %.300v", got.Claims, err)
			}
		})
	}
}

// stray changes the bits of the last character that the signature does not
// use.
func stray(token string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, token[len(token)-1])
	return token[:len(token)-1] + string(digits[last^1])
}

func TestAlgorithmMustBeAdvertised(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.metadata = func(m obj) { m["id_token_signing_alg_values_supported"] = []string{"RS256", "none"} }
	if _, err := signIn(t.Context(), o.client(nil)); !errors.Is(err, provider.ErrResponse) {
		t.Errorf("Exchange() = %v, want ErrResponse", err)
	}
}
