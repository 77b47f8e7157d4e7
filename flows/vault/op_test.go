package vault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// op is an outside provider that rotates refresh tokens, accepts each of them
// once, and misbehaves as it is told.
type op struct {
	server *httptest.Server
	url    string

	mu        sync.Mutex
	n         int             // tokens issued
	live      map[string]bool // refresh tokens that are good
	refreshes int             // requests for a fresh token
	revoked   []string
	// What to do instead of a proper answer.
	status  int                                     // answer this status
	keep    bool                                    // do not rotate: leave the refresh token out
	before  func(w http.ResponseWriter) bool        // runs unlocked, before a refresh; true: answered
	after   func(answer map[string]any)             // edits the answer, after the token was spent
	revoker func(w http.ResponseWriter) (done bool) // in place of a revocation
	info    func(w http.ResponseWriter)             // tells who the user is; nil: nothing does
	refused map[string]refusal                      // refresh tokens that are refused, and how
	forOne  string                                  // the resource that it issues tokens for
	less    *refusal                                // how requests for a resource or scopes are refused
	scopes  []string                                // the scopes that were asked for, one by refresh
	// resources are what was asked for, one by refresh.
	resources []string
}

// everything is what an op issues tokens for that knows every resource.
const everything = "*"

// refusal is an answer to a refresh that leaves the token alone.
type refusal struct {
	status int
	code   string
}

func newOP(t *testing.T) *op {
	t.Helper()
	o := &op{live: map[string]bool{}}
	o.server = httptest.NewServer(o)
	o.url = o.server.URL
	t.Cleanup(o.server.Close)
	return o
}

func (o *op) issuer() string { return o.url }

// grant issues tokens as a sign-in does.
func (o *op) grant(expires time.Time) provider.Token {
	o.mu.Lock()
	defer o.mu.Unlock()
	at, rt := o.issue()
	return provider.Token{AccessToken: at, RefreshToken: rt, TokenType: "Bearer", Scope: "openid email", ExpiresAt: expires}
}

func (o *op) issue() (access, refresh string) {
	o.n++
	access, refresh = fmt.Sprintf("access-token-%04d-in-clear", o.n), fmt.Sprintf("refresh-token-%04d-in-clear", o.n)
	o.live[refresh] = true
	return access, refresh
}

// do changes how the provider behaves.
func (o *op) do(f func(o *op)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o)
}

// asked is how many fresh tokens were asked for.
func (o *op) asked() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refreshes
}

func (o *op) wasRevoked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string{}, o.revoked...)
}

func (o *op) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		o.mu.Lock()
		defer o.mu.Unlock()
		metadata := map[string]any{
			"issuer": o.url, "authorization_endpoint": o.url + "/auth", "token_endpoint": o.url + "/token",
			"jwks_uri": o.url + "/keys", "revocation_endpoint": o.url + "/revoke",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		}
		if o.info != nil {
			metadata["userinfo_endpoint"] = o.url + "/userinfo"
		}
		_ = json.NewEncoder(w).Encode(metadata)
	case "/userinfo":
		o.mu.Lock()
		info := o.info
		o.mu.Unlock()
		info(w)
	case "/token":
		o.token(w, r)
	case "/revoke":
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.revoker != nil && o.revoker(w) {
			return
		}
		token := r.PostFormValue("token")
		delete(o.live, token)
		o.revoked = append(o.revoked, r.PostFormValue("token_type_hint")+" "+token)
	}
}

func (o *op) token(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.refreshes++
	before := o.before
	o.mu.Unlock()
	if before != nil && before(w) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.status != 0 {
		w.WriteHeader(o.status)
		return
	}
	if r.PostFormValue("grant_type") == "client_credentials" {
		o.n++
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": fmt.Sprintf("service-token-%04d", o.n), "token_type": "Bearer", "expires_in": 600, "scope": r.PostFormValue("scope"),
		})
		return
	}
	given := r.PostFormValue("refresh_token")
	if refusal, ok := o.refused[given]; ok {
		w.WriteHeader(refusal.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": refusal.code})
		return
	}
	if o.less != nil && r.PostFormValue("resource")+r.PostFormValue("scope") != "" {
		w.WriteHeader(o.less.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": o.less.code})
		return
	}
	if r.PostFormValue("grant_type") != "refresh_token" || !o.live[given] {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant"})
		return
	}
	if resource := r.PostFormValue("resource"); resource != "" && (o.forOne != everything && resource != o.forOne || r.PostFormValue("audience") != resource) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_target"})
		return
	}
	o.scopes = append(o.scopes, r.PostFormValue("scope"))
	o.resources = append(o.resources, r.PostFormValue("resource"))
	access, refresh := o.issue()
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "refresh_token": refresh}
	if scope := r.PostFormValue("scope"); scope != "" {
		answer["scope"] = scope
	}
	if o.keep {
		delete(o.live, refresh)
		delete(answer, "refresh_token")
	} else {
		delete(o.live, given)
	}
	if o.after != nil {
		o.after(answer)
	}
	_ = json.NewEncoder(w).Encode(answer)
}
