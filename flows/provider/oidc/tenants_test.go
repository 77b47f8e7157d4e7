package oidc

import (
	"errors"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TestTenants_TakenOut: sessions of a tenant that may sign in no longer end with the
// reload, as those end whom an allow line no longer names. A refresh without an ID token
// does not tell the tenant again.
func TestTenants_TakenOut(t *testing.T) {
	t.Parallel()
	const one, other = "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55", "7e1c9f4e-0000-4000-8000-3b1d2c7a9e56"
	for name, tt := range map[string]struct {
		issuer  string
		tenants []string
		id      string
		gone    bool
	}{
		"still there": {"/" + TenantPlaceholder + "/v2.0", []string{other, one}, one + "/u1", false},
		"taken out":   {"/" + TenantPlaceholder + "/v2.0", []string{other}, one + "/u1", true},
		"none named":  {"/" + TenantPlaceholder + "/v2.0", nil, one + "/u1", false},
		"of one":      {"", []string{other}, "u1", false},
	} {
		o := newOP(t)
		p := o.client(func(c *Config) { c.Issuer, c.Tenants = o.URL+tt.issuer, tt.tenants })
		was := identity.Claims{Issuer: p.Issuer(), ID: tt.id}
		now, err := p.Current(was)
		if errors.Is(err, provider.ErrGone) != tt.gone || !tt.gone && (err != nil || now.ID != was.ID) {
			t.Errorf("%s: %+v, %v", name, now, err)
		}
	}
}

// TestTenantKeys: where tenants share a JWKS, a key says whose tokens it signs, and one
// tenant's own signs for no other
// (https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer).
func TestTenantKeys(t *testing.T) {
	t.Parallel()
	const one, other = "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55", "7e1c9f4e-0000-4000-8000-3b1d2c7a9e56"
	for name, tt := range map[string]struct {
		issuer any
		ok     bool
	}{
		"says nothing":        {nil, true},
		"of all tenants":      {"/" + TenantPlaceholder + "/v2.0", true},
		"of this tenant":      {"/" + one + "/v2.0", true},
		"of another":          {"/" + other + "/v2.0", false},
		"of another provider": {"/elsewhere", false},
	} {
		o := newOP(t)
		template := o.URL + "/" + TenantPlaceholder + "/v2.0"
		key := obj{}
		raw, err := o.keys[0].(jose.JSONWebKey).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		unmarshal(t, raw, &key)
		if tt.issuer != nil {
			key["issuer"] = o.URL + tt.issuer.(string)
		}
		o.keys = []any{key}
		o.metadata = func(m obj) { m["issuer"] = template }
		o.on("/common"+discoveryPath, func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = discoveryPath
			o.serve(w, r)
		})
		o.claims = func(c obj) { c["tid"], c["iss"] = one, o.URL+"/"+one+"/v2.0" }
		p := o.client(func(c *Config) { c.Issuer, c.MetadataURL = template, o.URL+"/common"+discoveryPath })
		if _, err := signIn(t.Context(), p); (err == nil) != tt.ok || err != nil && !errors.Is(err, provider.ErrResponse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
