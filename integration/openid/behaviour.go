package openid

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"time"
)

// behaviour is how the provider differs from the library's example.
type behaviour struct {
	lifetime time.Duration
	kept     time.Duration
	down     bool
	refuses  bool
	withhold bool
	learn    func(what, value string)
	// refreshing and refreshed are called with each refresh; see Provider.Refreshing.
	refreshing func() (status int)
	refreshed  func()
	asked      int
	tokens     []Tokens
	claims     claims
}

// Tokens are the tokens of one answer of the provider.
type Tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// TokensLive sets how long the access tokens of later answers are said to live.
func (p *Provider) TokensLive(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lifetime = d
}

// RefreshTokensLive sets how long the refresh tokens of later answers are said to
// live, by the parameter refresh_expires_in that several providers send.
func (p *Provider) RefreshTokensLive(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = d
}

// SetDown makes the provider answer 503 to everything, or not.
func (p *Provider) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// RefuseRefreshes makes the provider refuse every refresh token for good
// (invalid_grant), or not.
func (p *Provider) RefuseRefreshes(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuse
}

// GiveNoRefreshTokens makes the provider leave refresh tokens out, or not.
func (p *Provider) GiveNoRefreshTokens(withhold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.withhold = withhold
}

// Learn has a function told of each token that the provider issues.
func (p *Provider) Learn(learn func(what, value string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learn = learn
}

// Refreshing has before called with each request for a refresh, whose status, if it is
// none of 0, is answered instead; and after when the refresh token was spent for another,
// before that is answered. Either may be nil, and may take its time.
func (p *Provider) Refreshing(before func() (status int), after func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refreshing, p.refreshed = before, after
}

// Refreshes tells how often a refresh was asked for, answered or not.
func (p *Provider) Refreshes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// Issued are the tokens that the provider has issued, the latest last.
func (p *Provider) Issued() []Tokens {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Tokens{}, p.tokens...)
}

func (p *Provider) behave(w http.ResponseWriter, r *http.Request, next http.Handler) {
	p.mu.Lock()
	down, refuses := p.down, p.refuses
	before, after := p.refreshing, p.refreshed
	refreshes := r.URL.Path == "/oauth/token" && r.PostFormValue("grant_type") == "refresh_token"
	if refreshes {
		p.asked++
	}
	p.mu.Unlock()
	if refreshes && before != nil {
		if status := before(); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	switch {
	case down:
		http.Error(w, "down for a test", http.StatusServiceUnavailable)
	case p.serveChanged(w, r, next):
	case r.URL.Path != "/oauth/token":
		next.ServeHTTP(w, r)
	case refuses && refreshes:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	default:
		recorded := httptest.NewRecorder()
		next.ServeHTTP(recorded, r)
		if refreshes && after != nil && recorded.Code == http.StatusOK {
			after()
		}
		p.answer(w, recorded)
	}
}

// answer passes a token answer on, as the provider behaves.
func (p *Provider) answer(w http.ResponseWriter, recorded *httptest.ResponseRecorder) {
	body := recorded.Body.Bytes()
	var tokens Tokens
	var all map[string]any
	if recorded.Code == http.StatusOK && json.Unmarshal(body, &tokens) == nil && json.Unmarshal(body, &all) == nil {
		p.mu.Lock()
		p.tokens = append(p.tokens, tokens)
		if p.learn != nil {
			p.learn("provider's access token", tokens.Access)
			p.learn("provider's refresh token", tokens.Refresh)
		}
		if p.lifetime > 0 {
			all["expires_in"] = int(p.lifetime / time.Second)
		}
		if p.kept > 0 {
			all["refresh_expires_in"] = int(p.kept / time.Second)
		}
		if p.withhold {
			delete(all, "refresh_token")
		}
		p.sayInIDToken(all)
		p.mu.Unlock()
		if changed, err := json.Marshal(all); err == nil {
			body = changed
		}
	}
	maps.Copy(w.Header(), recorded.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(recorded.Code)
	_, _ = w.Write(body)
}
