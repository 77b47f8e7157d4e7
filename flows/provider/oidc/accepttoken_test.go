package oidc

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// accessToken is a token of RFC 9068 with changed claims.
func (o *op) accessToken(t *testing.T, typ string, edit func(obj)) string {
	t.Helper()
	claims := obj{
		"iss": o.URL, "sub": "248289761001", "aud": "https://api.example.com", "client_id": "robot", "jti": "1", "scope": "read write",
		"iat": o.now().Unix(), "exp": o.now().Add(time.Hour).Unix(), "acr": "gold", "auth_time": o.now().Unix(),
	}
	if edit != nil {
		edit(claims)
	}
	header := obj{"kid": "1"}
	if typ != "" {
		header["typ"] = typ
	}
	return signed(t, jose.ES256, o.key, marshal(t, claims), header)
}

func accepting(edit func(*Accept)) func(*Config) {
	return func(c *Config) {
		c.Accept = &Accept{Audience: []string{"https://api.example.com"}}
		if edit != nil {
			edit(c.Accept)
		}
	}
}

// RFC 9068, section 4: what is no access token for this audience is refused, ID tokens
// and tokens for our own client among them, but where the issuer is named as one of
// workloads.
func TestAcceptToken(t *testing.T) {
	o := newOP(t)
	strict, workload := o.client(accepting(nil)), o.client(accepting(func(a *Accept) { a.Workload = true }))
	set := func(name string, value any) func(obj) { return func(c obj) { c[name] = value } }
	for name, tt := range map[string]struct {
		typ              string
		edit             func(obj)
		strict, workload bool
	}{
		"access token":             {"at+jwt", nil, true, true},
		"its type in full":         {"application/AT+JWT", nil, true, true},
		"of type JWT":              {"JWT", nil, false, true},
		"of no type":               {"", nil, false, true},
		"of another type":          {"secevent+jwt", nil, false, false},
		"for our client too":       {"at+jwt", set("aud", []string{"https://api.example.com", "client"}), false, true},
		"for another audience":     {"at+jwt", set("aud", "https://other.example.com"), false, false},
		"an audience that is none": {"at+jwt", set("aud", []any{nil}), false, false},
		"another issuer":           {"at+jwt", set("iss", "https://other.example.com"), false, false},
		"expired":                  {"at+jwt", set("exp", o.now().Unix()), false, false},
		"expiry as text":           {"at+jwt", set("exp", "9999999999"), false, false},
		"subject as number":        {"at+jwt", set("sub", 1), false, false},
		"a logout token":           {"at+jwt", set("events", obj{}), false, false},
		"bound to a name":          {"at+jwt", set("cnf", "key"), false, false},
		"bound to two, one odd":    {"at+jwt", set("cnf", obj{"jkt": strings.Repeat("A", 43), "kid": "1"}), false, false},
		"bound to half a key":      {"at+jwt", set("cnf", obj{"jkt": "AAAA"}), false, false},
		"bound to a key":           {"at+jwt", set("cnf", obj{"jkt": strings.Repeat("A", 43)}), true, true},
	} {
		raw := o.accessToken(t, tt.typ, tt.edit)
		for p, want := range map[*Provider]bool{strict: tt.strict, workload: tt.workload} {
			got, err := p.AcceptToken(t.Context(), raw)
			if (err == nil) != want || err != nil && !errors.Is(err, provider.ErrResponse) {
				t.Errorf("%s, workload %v: %v", name, p.config.Accept.Workload, err)
			}
			if err == nil && (got.Claims.ID != "248289761001" || got.Claims.ACR != "gold" || len(got.Scope) != 2 || got.Claims.Provider != p.Name()) {
				t.Errorf("%s: %+v", name, got)
			}
			if bound := strings.Contains(name, "bound"); err == nil && bound != (got.JKT != "") {
				t.Errorf("%s: bound to %q", name, got.JKT)
			}
		}
	}
	if !strict.Issued(o.accessToken(t, "", nil)) || strict.Issued("eyJhbGciOiJub25lIn0.e30.") || strict.Issued("opaque") {
		t.Error("the issuer is not told")
	}
}

// What a rule is about and a token does not say, userinfo may say: nothing is loosened.
func TestAcceptToken_WhatIsNotSaid(t *testing.T) {
	o := newOP(t)
	for workload, want := range map[bool]bool{false: true, true: false} {
		p := o.client(func(c *Config) {
			accepting(func(a *Accept) { a.Workload = workload })(c)
			c.ExtraClaims = []string{"department"}
		})
		p.SetNeeds(identity.Needs{Groups: identity.Judged, Claims: identity.Judged, Email: identity.Judged})
		got, err := p.AcceptToken(t.Context(), o.accessToken(t, "at+jwt", nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, claim := range []string{identity.ClaimGroups, identity.ClaimEmail, identity.KeptClaim("department")} {
			if got.Claims.IsUnread(claim) != want {
				t.Errorf("workload %v: %s unread is not %v", workload, claim, want)
			}
		}
	}
}

// RFC 7662: what the provider says is held to the same.
func TestIntrospect(t *testing.T) {
	o := newOP(t)
	answer, status := obj{}, http.StatusOK
	var form string
	o.on("/introspect", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.PostForm.Encode()
		if id, secret, ok := r.BasicAuth(); !ok || id == "" || secret == "" {
			status = http.StatusUnauthorized
		}
		w.WriteHeader(status)
		_, _ = w.Write(marshal(t, answer))
	})
	p := o.client(func(c *Config) {
		accepting(func(a *Accept) { a.Introspect = true })(c)
		c.ClientAuth = authBasic
		c.Endpoints.Introspection = o.URL + "/introspect"
	})
	good := func(edit func(obj)) obj {
		a := obj{"active": true, "sub": "1", "aud": []string{"https://api.example.com"}, "scope": "read"}
		if edit != nil {
			edit(a)
		}
		return a
	}
	for name, tt := range map[string]struct {
		answer obj
		status int
		want   error
	}{
		"active":             {good(nil), 200, nil},
		"inactive":           {obj{"active": false}, 200, provider.ErrResponse},
		"active as text":     {good(func(a obj) { a["active"] = "true" }), 200, provider.ErrResponse},
		"without audience":   {good(func(a obj) { delete(a, "aud") }), 200, provider.ErrResponse},
		"for our own client": {good(func(a obj) { a["aud"] = "client" }), 200, provider.ErrResponse},
		"of another issuer":  {good(func(a obj) { a["iss"] = "https://other.example.com" }), 200, provider.ErrResponse},
		"without subject":    {good(func(a obj) { delete(a, "sub") }), 200, provider.ErrResponse},
		"expired":            {good(func(a obj) { a["exp"] = 1 }), 200, provider.ErrResponse},
		// Hydra answers so about a refresh token, and Cognito says "id" of an ID token.
		"of a refresh token":    {good(func(a obj) { a["token_use"], a["token_type"] = "refresh_token", "Bearer" }), 200, provider.ErrResponse},
		"an ID token's use":     {good(func(a obj) { a["token_use"] = "id" }), 200, provider.ErrResponse},
		"Keycloak's refresh":    {good(func(a obj) { a["typ"] = "Refresh" }), 200, provider.ErrResponse},
		"Keycloak's offline":    {good(func(a obj) { a["typ"], a["token_type"] = "Offline", "Bearer" }), 200, provider.ErrResponse},
		"Keycloak's ID token":   {good(func(a obj) { a["typ"] = "ID" }), 200, provider.ErrResponse},
		"a type of RFC 8693":    {good(func(a obj) { a["token_type"] = "urn:ietf:params:oauth:token-type:refresh_token" }), 200, provider.ErrResponse},
		"a use that is no text": {good(func(a obj) { a["token_use"] = []string{"access_token"} }), 200, provider.ErrResponse},
		"the hash of a token":   {good(func(a obj) { a["at_hash"] = "x" }), 200, provider.ErrResponse},
		"Hydra's access token":  {good(func(a obj) { a["token_use"], a["token_type"] = "access_token", "Bearer" }), 200, nil},
		"Keycloak's":            {good(func(a obj) { a["typ"], a["token_type"] = "Bearer", "bearer" }), 200, nil},
		"a DPoP token":          {good(func(a obj) { a["token_type"] = "DPoP" }), 200, nil},
		"down":                  {nil, 500, provider.ErrUnavailable},
		"refused":               {nil, 401, provider.ErrMisconfigured},
	} {
		answer, status = tt.answer, tt.status
		got, err := p.Introspect(t.Context(), "opaque-token")
		if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || got.Claims.ID != "1" || got.Scope[0] != "read") {
			t.Errorf("%s: %v %+v", name, err, got)
		}
		if err != nil && strings.Contains(err.Error(), "opaque-token") {
			t.Errorf("%s: the error holds the token: %v", name, err)
		}
	}
	if form != "token=opaque-token&token_type_hint=access_token" {
		t.Errorf("the provider was sent %s", form)
	}
}

// FuzzAcceptToken: nothing that a program sends panics, and nothing that the provider has
// not signed is taken.
func FuzzAcceptToken(f *testing.F) {
	p, err := New(Config{Name: "ci", Issuer: "https://ci.example.com", Accept: &Accept{Audience: []string{"x"}, Workload: true}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = p.Close() })
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2NpLmV4YW1wbGUuY29tIiwiYXVkIjoieCIsImNuZiI6e319.AAAA", `{"iss":"https://ci.example.com","aud":"x","sub":"1","cnf":{"jkt":"A"}}`)
	f.Add("a.b.c", `{"aud":["x",null],"scope":["a"],"scp":1}`)
	f.Fuzz(func(t *testing.T, raw, claims string) {
		p.Issued(raw)
		if err := checkTokenType(raw, true); err == nil && strings.Count(raw, ".") != 2 {
			t.Errorf("%q has a type", raw)
		}
		set, err := parseClaims([]byte(claims))
		if err != nil {
			return
		}
		got, err := p.accepted(t.Context(), set, p.config.Now().Add(time.Minute))
		if err != nil {
			return
		}
		if audience, _ := set.audience(); len(audience) == 0 || got.Claims.ID == "" || set.has("cnf") && got.JKT+got.X5T == "" {
			t.Errorf("%s is taken as %+v", claims, got)
		}
	})
}
