package presets

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

type obj = map[string]any

// reply is an answer of another status than 200, or one that is no JSON.
type reply struct {
	status   int
	body     any // a string is written as it is
	location string
}

// persona is how one provider answers.
type persona struct {
	issuer string // to the letter
	// at is where the endpoints are; default: below the issuer. discovery is where the
	// metadata are.
	at, discovery string
	plain         bool // there are no metadata and no ID token
	// scopes that it knows; another one is refused. nil: all are taken.
	scopes []string
	auth   string // how clients must authenticate: "basic" or "post"
	verify func(secret string) error
	// formPost: the answer must be asked for by POST where the scope has name or email.
	formPost bool
	metadata obj
	idToken  obj // beside what all have
	access   obj // claims of the access token, where it is a JWT; nil where it is opaque
	userinfo obj
	groups   obj // answer of Graph
	user     string
	userOnce bool // at the first sign-in alone
	// api are answers at further addresses, to whoever has a token, and before all
	// others: JSON, or a reply.
	api map[string]any
	// answer is what else token answers hold, or hold in another way.
	answer obj
	// keyIssuer is the member issuer of the key; "" for none.
	keyIssuer string
}

// provider is a persona at work.
type provider struct {
	persona

	t      *testing.T
	key    *ecdsa.PrivateKey
	kid    string
	mu     sync.Mutex
	codes  map[string]url.Values // authorization requests by their codes
	pushed map[string]url.Values // those that were pushed, by their request_uri
	issued int
	asked  []*http.Request // all requests, with their forms
}

func newProvider(t *testing.T, p persona) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &provider{persona: p, t: t, key: key, kid: "1", codes: map[string]url.Values{}, pushed: map[string]url.Values{}}
}

// base is where the endpoints are: below the issuer, whatever stands at its end.
func (p *provider) base() string {
	return strings.TrimSuffix(cmp.Or(p.at, p.issuer), "/")
}

// last is the last request for a path that ends so, or nil.
func (p *provider) last(suffix string) *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range slices.Backward(p.asked) {
		if strings.HasSuffix(r.URL.Path, suffix) {
			return r
		}
	}
	return nil
}

// rotate changes the key.
func (p *provider) rotate(key *ecdsa.PrivateKey, kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.kid = key, kid
}

// signing is the key, and its id.
func (p *provider) signing() (*ecdsa.PrivateKey, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key, p.kid
}

// publicKey is what the provider publishes of its key.
func (p *provider) publicKey() any {
	key := obj{}
	own, kid := p.signing()
	raw, err := json.Marshal(jose.JSONWebKey{Key: &own.PublicKey, KeyID: kid, Algorithm: "ES256", Use: "sig"})
	if err == nil {
		err = json.Unmarshal(raw, &key)
	}
	if err != nil {
		p.t.Error(err)
	}
	if p.keyIssuer != "" {
		key["issuer"] = p.keyIssuer
	}
	return key
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := "https://" + r.Host + r.URL.Path
	discovery := cmp.Or(p.discovery, strings.TrimSuffix(p.issuer, "/")+"/.well-known/openid-configuration")
	_ = r.ParseForm()
	p.mu.Lock()
	p.asked = append(p.asked, r)
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch answer, ok := p.api[address]; {
	case ok:
		p.reply(w, answer)
	case address == discovery && !p.plain:
		p.write(w, p.describe())
	case address == p.base()+"/keys":
		p.write(w, obj{"keys": []any{
			obj{"kty": "unknown", "kid": "junk"},
			obj{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "weak"},
			p.publicKey(),
		}})
	case strings.HasSuffix(address, "/authorize"):
		p.authorize(w, r)
	case strings.HasSuffix(address, "/token"), strings.HasSuffix(address, "/access_token"):
		p.token(w, r)
	case strings.HasSuffix(address, "/par"):
		p.push(w, r)
	case strings.HasSuffix(address, "/bye"):
		q := r.URL.Query()
		http.Redirect(w, r, q.Get("post_logout_redirect_uri")+"?"+url.Values{"state": q["state"]}.Encode(), http.StatusFound)
	case address == "https://graph.microsoft.com/v1.0/me/getMemberObjects":
		p.write(w, p.groups)
	case strings.HasSuffix(address, "/userinfo"), strings.HasSuffix(address, "/users/@me"), strings.HasSuffix(address, "/api/v1/user"):
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") || p.userinfo == nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.write(w, p.userinfo)
	default:
		p.t.Errorf("the provider was asked for %s %s, where nothing is", r.Method, address)
		w.WriteHeader(http.StatusNotFound)
	}
}

// reply answers as a persona says.
func (p *provider) reply(w http.ResponseWriter, answer any) {
	as, ok := answer.(reply)
	if !ok {
		p.write(w, answer)
		return
	}
	if as.location != "" {
		w.Header().Set("Location", as.location)
	}
	text, isText := as.body.(string)
	if isText {
		w.Header().Set("Content-Type", "text/html")
	}
	w.WriteHeader(as.status)
	switch {
	case isText:
		_, _ = w.Write([]byte(text))
	case as.body != nil:
		p.write(w, as.body)
	}
}

// push keeps an authorization request (RFC 9126).
func (p *provider) push(w http.ResponseWriter, r *http.Request) {
	if !p.isClient(r) {
		p.t.Error("a request was pushed by another client")
	}
	p.mu.Lock()
	p.issued++
	uri := fmt.Sprintf("urn:example:%d", p.issued)
	p.pushed[uri] = r.PostForm
	p.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	p.write(w, obj{"request_uri": uri, "expires_in": 60})
}

func (p *provider) write(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) describe() obj {
	m := obj{
		"issuer": p.issuer, "authorization_endpoint": p.base() + "/authorize", "token_endpoint": p.base() + "/token",
		"jwks_uri": p.base() + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_" + p.auth},
		"end_session_endpoint":                  p.base() + "/bye", "pushed_authorization_request_endpoint": p.base() + "/par",
	}
	if p.userinfo != nil {
		m["userinfo_endpoint"] = p.base() + "/userinfo"
	}
	if p.scopes != nil {
		m["scopes_supported"] = p.scopes
	}
	maps.Copy(m, p.metadata)
	return m
}

// authorize signs the person in, as if they were already.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if uri := q.Get("request_uri"); uri != "" {
		p.mu.Lock()
		q = p.pushed[uri]
		p.mu.Unlock()
	}
	answer := url.Values{"state": q["state"]}
	scopes := strings.Fields(q.Get("scope"))
	switch {
	case p.scopes != nil && slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(p.scopes, s) }):
		answer.Set("error", "invalid_scope")
	case p.formPost && (slices.Contains(scopes, "name") || slices.Contains(scopes, "email")) && q.Get("response_mode") != "form_post":
		answer.Set("error", "invalid_request")
	case q.Get("code_challenge_method") != "S256":
		answer.Set("error", "invalid_request")
	default:
		p.mu.Lock()
		p.issued++
		code := fmt.Sprintf("code-%d", p.issued)
		p.codes[code] = q
		p.mu.Unlock()
		answer.Set("code", code)
	}
	if q.Get("response_mode") != "form_post" {
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
		return
	}
	if p.user != "" && (!p.userOnce || p.issued == 1) {
		answer.Set("user", p.user)
	}
	w.Header().Set("Content-Type", "text/html")
	if err := posting.Execute(w, obj{"to": q.Get("redirect_uri"), "answer": answer}); err != nil {
		p.t.Error(err)
	}
}

var posting = template.Must(template.New("").Parse(`<form method="post" action="{{.to}}">
{{range $name, $values := .answer}}<input type="hidden" name="{{$name}}" value="{{index $values 0}}">{{end}}</form>`))

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	asked, ok := p.codes[r.PostForm.Get("code")]
	delete(p.codes, r.PostForm.Get("code"))
	p.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	fault := ""
	switch {
	case !p.isClient(r):
		fault = "invalid_client"
	case !ok, asked.Get("redirect_uri") != r.PostForm.Get("redirect_uri"), base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge"):
		fault = "invalid_grant"
	}
	if fault != "" {
		if fault != "invalid_grant" || !strings.HasPrefix(r.PostForm.Get("code"), "this-is-no-code") { // the doctor's
			p.t.Errorf("the provider refuses a code: %s", fault)
		}
		w.WriteHeader(http.StatusBadRequest)
		p.write(w, obj{"error": fault})
		return
	}
	answer := obj{"access_token": "opaque", "token_type": "Bearer", "expires_in": 3600, "scope": asked.Get("scope")}
	maps.Copy(answer, p.answer)
	if p.access != nil {
		answer["access_token"] = p.sign(p.access)
	}
	if !p.plain {
		claims := obj{"aud": asked.Get("client_id"), "nonce": asked.Get("nonce")}
		maps.Copy(claims, p.idToken)
		answer["id_token"] = p.sign(claims)
	}
	p.write(w, answer)
}

func (p *provider) isClient(r *http.Request) bool {
	secret := r.PostForm.Get("client_secret")
	if p.auth == "private_key_jwt" {
		return secret == "" && r.Header.Get("Authorization") == "" && p.verify(r.PostForm.Get("client_assertion")) == nil
	}
	if p.auth == "none" {
		return secret == "" && r.Header.Get("Authorization") == "" && r.PostForm.Get("client_id") != ""
	}
	if p.auth == "basic" {
		_, basic, ok := r.BasicAuth()
		if !ok || secret != "" {
			return false
		}
		secret, _ = url.QueryUnescape(basic)
	}
	if p.verify != nil {
		return p.verify(secret) == nil
	}
	return secret == clientSecret
}

func (p *provider) sign(claims obj) string {
	all := obj{"iss": p.issuer, "sub": "subject-1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	key, kid := p.signing()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid).WithType("JWT"))
	if err != nil {
		p.t.Error(err)
		return ""
	}
	raw, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		p.t.Error(err)
	}
	return raw
}
