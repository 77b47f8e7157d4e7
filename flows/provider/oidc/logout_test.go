package oidc

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestVerifyLogout(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(obj) { return func(c obj) { c[name] = value } }
	for _, tt := range []struct {
		name string
		typ  string
		edit func(obj)
		ok   bool
	}{
		{"as it should be", "logout+jwt", nil, true},
		{"without typ", "", nil, true},
		{"session alone", "logout+jwt", func(c obj) { delete(c, "sub") }, true},
		{"ID token by type", "id_token+jwt", nil, false},
		{"access token", "at+jwt", nil, false},
		{"neither user nor session", "", func(c obj) { delete(c, "sub"); delete(c, "sid") }, false},
		{"session is a number", "", set("sid", 7), false},
		{"nonce", "", set("nonce", "x"), false},
		{"empty nonce", "", set("nonce", ""), false},
		{"no events", "", func(c obj) { delete(c, "events") }, false},
		{"other event", "", set("events", obj{"http://example.com/event": obj{}}), false},
		{"event is a string", "", set("events", obj{logoutEvent: "x"}), false},
		{"no jti", "", func(c obj) { delete(c, "jti") }, false},
		{"expired", "", set("exp", noon.Add(-time.Hour).Unix()), false},
		{"no expiry", "", func(c obj) { delete(c, "exp") }, false},
		{"no issue date", "", func(c obj) { delete(c, "iat") }, false},
		{"other audience", "", set("aud", "other"), false},
		{"other issuer", "", set("iss", "https://evil.example"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			c := obj{
				"iss": o.URL, "aud": "client", "sub": "u1", "sid": "s1", "jti": "j1", "iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(),
				"events": obj{logoutEvent: obj{}},
			}
			apply(tt.edit, c)
			payload, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			header := obj{"kid": "1"}
			if tt.typ != "" {
				header["typ"] = tt.typ
			}
			got, err := o.client(nil).VerifyLogout(t.Context(), signed(t, jose.ES256, o.key, payload, header))
			if tt.ok != (err == nil) || err != nil && !errors.Is(err, provider.ErrResponse) {
				t.Fatalf("VerifyLogout() = %+v, %v", got, err)
			}
			if tt.ok && (got.Session != "s1" || got.TokenID != "j1" || !got.ExpiresAt.After(noon.Add(time.Minute))) {
				t.Errorf("VerifyLogout() = %+v", got)
			}
		})
	}
}

func TestIDTokenIsNoLogoutToken(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	if _, err := o.client(nil).VerifyLogout(t.Context(), o.idToken()); !errors.Is(err, provider.ErrResponse) {
		t.Errorf("VerifyLogout() = %v, want ErrResponse", err)
	}
}

func TestEndSessionURL(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	raw, err := o.client(nil).EndSessionURL(t.Context(), "idt", "https://app/bye?a=b", "s")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"x": {"1"}, "client_id": {"client"}, "id_token_hint": {"idt"}, "post_logout_redirect_uri": {"https://app/bye?a=b"}, "state": {"s"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Error(diff)
	}
	none := newOP(t)
	none.metadata = func(m obj) { delete(m, "end_session_endpoint") }
	if raw, err := none.client(nil).EndSessionURL(t.Context(), "idt", "", ""); raw != "" || err != nil {
		t.Errorf("without an endpoint: %q, %v", raw, err)
	}
}
