package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TestPAR: RFC 9126. The request goes to the provider itself, and the browser carries
// a reference to it.
func TestPAR(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		configured, required, offered bool
		pushes                        bool
	}{
		"as the provider requires":    {required: true, offered: true, pushes: true},
		"as configured":               {configured: true, offered: true, pushes: true},
		"offered alone":               {offered: true},
		"not at all":                  {},
		"configured, and not offered": {configured: true, pushes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.metadata = func(m obj) {
				m["require_pushed_authorization_requests"] = tt.required
				if tt.offered {
					m["pushed_authorization_request_endpoint"] = o.URL + "/par"
				}
			}
			var form url.Values
			var user string
			o.on("/par", func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				form = r.PostForm
				user, _, _ = r.BasicAuth()
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"request_uri":"urn:example:1","expires_in":60}`))
			})
			p := o.client(func(c *Config) {
				c.PAR, c.AuthParams = tt.configured, map[string]string{"audience": "https://api.example.com"}
			})
			raw, err := p.AuthURL(t.Context(), authRequest())
			if tt.configured && !tt.offered {
				if !errors.Is(err, provider.ErrMisconfigured) {
					t.Errorf("AuthURL() = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(raw)
			if got := u.Query().Has("request_uri"); got != tt.pushes {
				t.Fatalf("pushed: %t; %s", got, raw)
			}
			if !tt.pushes {
				return
			}
			if want := "client_id=client&request_uri=urn%3Aexample%3A1&tenant=1"; u.RawQuery != want {
				t.Errorf("the browser carries %s, want %s", u.RawQuery, want)
			}
			for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri", "scope", "audience", "response_type"} {
				if form.Get(name) == "" {
					t.Errorf("%s was not pushed in %v", name, form)
				}
			}
			if form.Get("client_id") != "client" || user != "client" || form.Has("tenant") {
				t.Errorf("pushed by %q: %v", user, form)
			}
		})
	}
}

func TestPARIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status    int
		body      string
		permanent bool
	}{
		"client":       {401, `{"error":"invalid_client"}`, true},
		"no reference": {201, `{}`, false},
		"a page":       {200, `<html>`, false},
		"down":         {503, ``, false},
		"control":      {201, `{"request_uri":"a\nb"}`, false},
	} {
		o := newOP(t)
		o.metadata = func(m obj) { m["pushed_authorization_request_endpoint"] = o.URL + "/par" }
		o.on("/par", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		})
		raw, err := o.client(func(c *Config) { c.PAR = true }).AuthURL(t.Context(), authRequest())
		if raw != "" || !errors.Is(err, provider.ErrUnavailable) || errors.Is(err, provider.ErrMisconfigured) != tt.permanent {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
}

// TestAuthRequestOptions: what is configured is sent where a sign-in asks for nothing
// of its own.
func TestAuthRequestOptions(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(func(c *Config) { c.Prompt, c.ACRValues, c.FormPost = "consent", "silver", true })
	query := func(r provider.AuthRequest) url.Values {
		raw, err := p.AuthURL(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(raw)
		return u.Query()
	}
	plain := authRequest()
	plain.Prompt, plain.ACRValues = "", ""
	if q := query(plain); q.Get("prompt") != "consent" || q.Get("acr_values") != "silver" || q.Get("response_mode") != "form_post" {
		t.Errorf("sent %v", q)
	}
	plain.Prompt, plain.ACRValues, plain.LoginHint = "login", "gold", "alice@example.com"
	if q := query(plain); q.Get("prompt") != "login" || q.Get("acr_values") != "gold" || q.Get("login_hint") != "alice@example.com" {
		t.Errorf("sent %v", q)
	}
}
