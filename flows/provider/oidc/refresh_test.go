package oidc

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestRefresh(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.tokens = func(a obj) {
		delete(a, "refresh_token")
		delete(a, "scope")
		a["access_token"], a["expires_in"] = "at2", "3600"
	}
	p := o.client(nil)
	got, err := p.Refresh(t.Context(), "rt", []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	want := provider.Token{AccessToken: "at2", TokenType: "Bearer", Scope: "a b", ExpiresAt: noon.Add(time.Hour)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt"}, "scope": {"a b"}}
	if diff := cmp.Diff(form, o.form); diff != "" {
		t.Error(diff)
	}
	o.tokens = func(a obj) { a["refresh_token"], a["refresh_expires_in"] = "rt2", 60 }
	if got, err = p.Refresh(t.Context(), "rt", nil); err != nil {
		t.Fatal(err)
	}
	if got.RefreshToken != "rt2" || !got.RefreshExpiresAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("Refresh() = %+v", got)
	}
	if _, err := p.Refresh(t.Context(), "", nil); !errors.Is(err, provider.ErrGrant) {
		t.Errorf("without a refresh token: %v, want ErrGrant", err)
	}
}

func TestRefreshErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		want   error
		spent  bool // perhaps
	}{
		{400, `{"error":"invalid_grant"}`, provider.ErrGrant, true},
		{400, `{"error":"interaction_required"}`, provider.ErrGrant, true},
		{401, `{"error":"invalid_client"}`, provider.ErrUnavailable, false},
		{429, `{"error":"slow_down"}`, provider.ErrUnavailable, false},
		{503, `down`, provider.ErrUnavailable, true},
		{503, `{"error":"temporarily_unavailable"}`, provider.ErrUnavailable, true},
		{500, `{"error":"server_error"}`, provider.ErrUnavailable, true},
		{502, `down`, provider.ErrUnavailable, true},
		{200, `{"error":"temporarily_unavailable"}`, provider.ErrUnavailable, false},
		{200, `{"access_token":["at"]}`, provider.ErrUnavailable, true},
		{200, `{"access_token":"a\u0000t"}`, provider.ErrResponse, true},
		{200, `{"access_token":"at","token_type":"mac"}`, provider.ErrResponse, true},
		{200, `{"access_token":"at","token_type":"DPoP"}`, provider.ErrResponse, true},
	} {
		o := newOP(t)
		o.on("/token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		})
		_, err := o.client(nil).Refresh(t.Context(), "rt", nil)
		if !errors.Is(err, tt.want) || errors.Is(err, provider.ErrNotSpent) == tt.spent {
			t.Errorf("%d %s: Refresh() = %v, want %v, perhaps spent: %t", tt.status, tt.body, err, tt.want, tt.spent)
		}
	}
	down := newOP(t)
	down.on("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if _, err := down.client(nil).Refresh(t.Context(), "rt", nil); !errors.Is(err, provider.ErrUnavailable) || !errors.Is(err, provider.ErrNotSpent) {
		t.Errorf("without metadata: %v", err)
	}
}

// Of a request for less than the grant, only invalid_grant may be about the grant.
func TestNarrowErrors(t *testing.T) {
	t.Parallel()
	for code, final := range map[string]bool{
		"invalid_grant": true, "access_denied": false, "interaction_required": false, "login_required": false, "consent_required": false, "invalid_target": false,
	} {
		o := newOP(t)
		o.on("/token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"` + code + `"}`))
		})
		p := o.client(nil)
		for _, resource := range []string{"", "https://api.example"} {
			_, err := p.Narrow(t.Context(), "rt", []string{"a"}, resource)
			if errors.Is(err, provider.ErrGrant) != final || errors.Is(err, provider.ErrTarget) == final || !final && !errors.Is(err, provider.ErrUnavailable) {
				t.Errorf("%s: Narrow() = %v", code, err)
			}
		}
	}
}

// What the provider rotated comes with an access token that cannot be used.
func TestRefresh_RotatedWithAnUnusableToken(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"rt2", "rt", "r\x00t", ""} {
		o := newOP(t)
		o.tokens = func(a obj) { a["token_type"], a["refresh_token"], a["refresh_expires_in"] = "mac", next, 60 }
		want := provider.Token{}
		if next == "rt2" {
			want = provider.Token{RefreshToken: next, RefreshExpiresAt: noon.Add(time.Minute)}
		}
		p := o.client(nil)
		got, err := p.Refresh(t.Context(), "rt", nil)
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, provider.ErrResponse) {
			t.Errorf("%q: %v %s", next, err, diff)
		}
		result, err := p.Recheck(t.Context(), "rt", identity.Claims{ID: "u1"})
		if (result.Token != nil) != (next == "rt2") || !errors.Is(err, provider.ErrResponse) {
			t.Errorf("%q: Recheck() = %+v, %v", next, result.Token, err)
		}
	}
}

func TestRecheck(t *testing.T) {
	t.Parallel()
	then := noon.Add(-5 * time.Hour)
	for _, tt := range []struct {
		name   string
		tokens func(obj)
		claims func(obj)
		info   any
		was    func(*identity.Claims)
		groups []string
		want   error
	}{
		{name: "same user, other groups", claims: func(c obj) { c["groups"], c["nonce"] = []string{"new"}, nil }, groups: []string{"new"}},
		{name: "other subject", claims: func(c obj) { c["sub"] = "u2" }, want: provider.ErrGone},
		{name: "identity of another issuer", was: func(c *identity.Claims) { c.Issuer = "https://old.example" }, want: provider.ErrGone},
		{name: "expired ID token", claims: func(c obj) { c["exp"] = 1 }, want: provider.ErrResponse},
		{name: "userinfo alone", tokens: func(a obj) { delete(a, "id_token") }, info: obj{"sub": "u1", "groups": []string{"info"}}, groups: []string{"info"}},
		{name: "userinfo of another user", tokens: func(a obj) { delete(a, "id_token") }, info: obj{"sub": "u2"}, want: provider.ErrResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.tokens, o.claims, o.userinfo = tt.tokens, tt.claims, tt.info
			was := identity.Claims{Provider: "sso", Issuer: o.URL, ID: "u1", User: "x", Groups: []string{"old"}, AuthTime: then, ACR: "gold", AMR: []string{"otp"}}
			if tt.was != nil {
				tt.was(&was)
			}
			got, err := o.client(nil).Recheck(t.Context(), "rt", was)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Recheck() = %v, want %v", err, tt.want)
			}
			if got.Token == nil || got.Token.AccessToken != "at" {
				t.Error("the token, for which the refresh token was spent, is lost")
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tt.groups, got.Claims.Groups); diff != "" {
				t.Error(diff)
			}
			if !got.Claims.AuthTime.Equal(then) || got.Claims.ACR != "gold" || len(got.Claims.AMR) != 1 {
				t.Errorf("how the user signed in has changed: %+v", got.Claims)
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(nil)
	if err := p.Revoke(t.Context(), "rt", "refresh_token"); err != nil {
		t.Fatal(err)
	}
	if o.form.Get("token") != "rt" || o.form.Get("token_type_hint") != "refresh_token" {
		t.Errorf("the request was %v", o.form)
	}
	for status, want := range map[int]error{200: nil, 204: nil, 302: provider.ErrResponse, 400: provider.ErrResponse, 429: provider.ErrUnavailable, 503: provider.ErrUnavailable} {
		o.on("/revoke", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := p.Revoke(t.Context(), "rt", ""); !errors.Is(err, want) {
			t.Errorf("%d: Revoke() = %v, want %v", status, err, want)
		}
	}
	none := newOP(t)
	none.metadata = func(m obj) { delete(m, "revocation_endpoint") }
	if err := none.client(nil).Revoke(t.Context(), "rt", ""); err != nil {
		t.Errorf("without an endpoint: %v", err)
	}
}

// TestErrorsQuoteNoSecret: a provider that quotes what it was sent does not bring
// it into an error, and so into a log.
func TestErrorsQuoteNoSecret(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.on("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(obj{"error": "invalid_request", "error_description": "no good: " + r.Form.Encode() + " by " + secret + r.PostForm.Get("refresh_token")})
	})
	p := o.client(nil)
	const token = "a-refresh/token+of some length"
	_, err := p.Refresh(t.Context(), token, nil)
	_, err2 := signIn(t.Context(), p)
	for _, err := range []error{err, err2} {
		if err == nil || !strings.Contains(err.Error(), "no good") || !strings.Contains(err.Error(), "[secret]") {
			t.Fatalf("got %v", err)
		}
		for _, secret := range []string{token, "some+length", callback().Verifier, p.config.ClientSecret} {
			if strings.Contains(err.Error(), "="+secret) || strings.Contains(err.Error(), " "+secret) {
				t.Errorf("%q is in %v", secret, err)
			}
		}
	}
}
