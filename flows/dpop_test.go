package flows_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// holder has a key and makes proofs of it.
type holder struct {
	t   *testing.T
	key *ecdsa.PrivateKey
	now func() time.Time
}

func newHolder(t *testing.T, now func() time.Time) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{t, key, now}
}

// proof makes a proof; change may spoil it.
func (h *holder) proof(method, uri, access string, change func(header, claims map[string]any)) string {
	h.t.Helper()
	jwk := map[string]any{}
	raw, _ := jose.JSONWebKey{Key: h.key.Public()}.MarshalJSON()
	_ = json.Unmarshal(raw, &jwk)
	header := map[string]any{"typ": "dpop+jwt", "jwk": jwk}
	claims := jwt.MapClaims{"htm": method, "htu": uri, "iat": h.now().Unix(), "jti": rand.Text()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if change != nil {
		change(header, claims)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	return signed
}

// send posts to the token endpoint with a proof.
func (a app) send(form url.Values, proofs ...string) answer {
	a.t.Helper()
	form = cloneValues(form)
	if a.secret == "" {
		form.Set("client_id", a.id)
	}
	req, _ := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.w.portalURL()+"/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, p := range proofs {
		req.Header.Add("DPoP", p)
	}
	if a.secret != "" {
		req.SetBasicAuth(a.id, a.secret)
	}
	b := newBrowser(a.t).do(req)
	got := answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{}}
	_ = json.Unmarshal([]byte(b.body), &got.body)
	return got
}

func TestDPoP_BindsTokensToTheKey(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	native := app{t, w, "native", ""}
	mine, other := newHolder(t, w.clock.now), newHolder(t, w.clock.now)
	endpoint := w.portalURL() + "/token"
	params := authorizeParams("native", "http://127.0.0.1:4711/cb", "openid offline_access")
	params.Set("resource", w.siteURL("one"))
	code := w.code(w.signedInBrowser(), params)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"http://127.0.0.1:4711/cb"}, "code_verifier": {verifier}}

	for name, spoiled := range map[string]string{
		"wrong method":  mine.proof("GET", endpoint, "", nil),
		"wrong target":  mine.proof("POST", endpoint+"x", "", nil),
		"old":           mine.proof("POST", endpoint, "", func(_, c map[string]any) { c["iat"] = w.clock.now().Add(-2 * time.Minute).Unix() }),
		"future":        mine.proof("POST", endpoint, "", func(_, c map[string]any) { c["iat"] = w.clock.now().Add(2 * time.Minute).Unix() }),
		"no iat":        mine.proof("POST", endpoint, "", func(_, c map[string]any) { delete(c, "iat") }),
		"no jti":        mine.proof("POST", endpoint, "", func(_, c map[string]any) { delete(c, "jti") }),
		"htu no string": mine.proof("POST", endpoint, "", func(_, c map[string]any) { c["htu"] = []string{endpoint} }),
		"wrong typ":     mine.proof("POST", endpoint, "", func(h, _ map[string]any) { h["typ"] = "JWT" }),
		"no jwk":        mine.proof("POST", endpoint, "", func(h, _ map[string]any) { delete(h, "jwk") }),
		"foreign jwk":   mine.proof("POST", endpoint, "", func(h, _ map[string]any) { h["jwk"] = json.RawMessage(publicJWK(other)) }),
		"private jwk":   mine.proof("POST", endpoint, "", func(h, _ map[string]any) { h["jwk"] = json.RawMessage(privateJWK(mine)) }),
		"symmetric jwk": mine.proof("POST", endpoint, "", func(h, _ map[string]any) { h["jwk"] = map[string]any{"kty": "oct", "k": "AAAA"} }),
		"crit":          mine.proof("POST", endpoint, "", func(h, _ map[string]any) { h["crit"] = []string{"x"} }),
		"junk":          "a.b.c",
	} {
		if got := native.send(form, spoiled); got.text("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %v", name, got.status, got.body)
		}
	}
	if got := native.send(form, mine.proof("POST", endpoint, "", nil), mine.proof("POST", endpoint, "", nil)); got.text("error") != "invalid_dpop_proof" {
		t.Errorf("two proofs: %v", got.body)
	}
	used := mine.proof("POST", endpoint, "", nil)
	got := native.send(form, used)
	if got.status != 200 || got.text("token_type") != "DPoP" {
		t.Fatalf("%d %v", got.status, got.body)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}}
	if got := native.send(refresh, used); got.text("error") != "invalid_dpop_proof" {
		t.Errorf("a proof was used twice: %v", got.body)
	}
	if got := native.send(refresh); got.text("error") != "invalid_grant" {
		t.Errorf("refresh without the key: %v", got.body)
	}
	if got := native.send(refresh, other.proof("POST", endpoint, "", nil)); got.text("error") != "invalid_grant" {
		t.Errorf("refresh with another key: %v", got.body)
	}
	if got := native.send(refresh, mine.proof("POST", endpoint, "", nil)); got.status != 200 {
		t.Errorf("refresh with the key: %v", got.body)
	}
	access := got.text("access_token")
	call := func(scheme, proof string) (status int, challenges []string) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.siteURL("one")+"/api?x=1", nil)
		req.Header.Set("Accept", "application/json")
		if scheme != "" {
			req.Header.Set("Authorization", scheme+" "+access)
		}
		if proof != "" {
			req.Header.Set("DPoP", proof)
		}
		b := newBrowser(t).do(req)
		return b.last.StatusCode, b.last.Header.Values("WWW-Authenticate")
	}
	target := w.siteURL("one") + "/api"
	for name, c := range map[string]struct {
		scheme, proof string
		want          int
	}{
		"with the key":       {"DPoP", mine.proof("GET", target, access, nil), 200},
		"as bearer":          {"Bearer", "", 401},
		"without proof":      {"DPoP", "", 401},
		"in lower case":      {"dpop", "", 401},
		"another key":        {"DPoP", other.proof("GET", target, access, nil), 401},
		"for another token":  {"DPoP", mine.proof("GET", target, "x", nil), 401},
		"for no token":       {"DPoP", mine.proof("GET", target, "", nil), 401},
		"for another target": {"DPoP", mine.proof("GET", target+"/x", access, nil), 401},
		"nothing at all":     {"", "", 401},
	} {
		status, challenges := call(c.scheme, c.proof)
		if status != c.want {
			t.Errorf("%s: %d, want %d", name, status, c.want)
		}
		if c.want == 401 {
			checkChallenges(t, name, challenges, c.scheme)
		}
	}
}

// challenge is RFC 9110, section 11.6.1, as far as we write it: a scheme, and its
// parameters as quoted strings.
var challenge = regexp.MustCompile(`^(Bearer|DPoP) [a-z_]+="[^"\\]*"(, [a-z_]+="[^"\\]*")*$`)

// checkChallenges checks that each scheme has a challenge, and that the one that
// was used, and no other, says what is wrong (RFC 9449, section 7.1).
func checkChallenges(t *testing.T, name string, challenges []string, used string) {
	t.Helper()
	var schemes []string
	for _, c := range challenges {
		if !challenge.MatchString(c) {
			t.Errorf("%s: %s", name, c)
		}
		scheme, parameters, _ := strings.Cut(c, " ")
		schemes = append(schemes, scheme)
		if says := strings.Contains(parameters, "error="); says != strings.EqualFold(scheme, used) {
			t.Errorf("%s: %s", name, c)
		}
		if !strings.Contains(parameters, `resource_metadata="http://`) {
			t.Errorf("%s: not whom to ask for a token: %s", name, c)
		}
		if scheme == "DPoP" && !strings.Contains(parameters, `algs="ES256 `) {
			t.Errorf("%s: not which algorithms: %s", name, c)
		}
	}
	if !slices.Equal(schemes, []string{"Bearer", "DPoP"}) {
		t.Errorf("%s: challenges of %v", name, schemes)
	}
}

// forgetfulCache does not answer whether a proof is new.
type forgetfulCache struct {
	cache.Store
	down *atomic.Bool
}

func (c forgetfulCache) Once(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if c.down.Load() {
		return false, cache.ErrUnavailable
	}
	return c.Store.Once(ctx, key, ttl)
}

// TestDPoP_ACacheThatIsAwayMakesNoTokenInvalid: a client that hears invalid_token
// throws its token away.
func TestDPoP_ACacheThatIsAwayMakesNoTokenInvalid(t *testing.T) {
	down := new(atomic.Bool)
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return s, forgetfulCache{c, down}
	}})
	mine := newHolder(t, w.clock.now)
	params := authorizeParams("web", "https://web.test/cb", "openid")
	params["resource"] = []string{w.siteURL("one"), w.portalURL()}
	got := w.call("token", redeem(w.code(w.signedInBrowser(), params)), basic("web"), "DPoP: "+mine.proof("POST", w.portalURL()+"/token", "", nil))
	access := got.answer.text("access_token")
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.text)
	}
	for _, target := range []string{w.portalURL() + "/userinfo", w.siteURL("one") + "/api"} {
		for _, away := range []bool{false, true} {
			down.Store(away)
			want := map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable}[away]
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			req.Header = http.Header{"Accept": {"application/json"}, "Authorization": {"DPoP " + access}, "Dpop": {mine.proof("GET", target, access, nil)}}
			b := newBrowser(t).do(req)
			if b.last.StatusCode != want || away != (b.last.Header.Get("Retry-After") != "") {
				t.Errorf("%s, cache away: %t: %d %v", target, away, b.last.StatusCode, b.last.Header)
			}
		}
	}
}

func publicJWK(h *holder) []byte {
	raw, _ := jose.JSONWebKey{Key: h.key.Public()}.MarshalJSON()
	return raw
}

func privateJWK(h *holder) []byte {
	raw, _ := jose.JSONWebKey{Key: h.key}.MarshalJSON()
	return raw
}
