package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TestCheck: what people get wrong first at their provider is found before anybody signs
// in, and told apart from an outage (field cases A11 and F7: "status ok" for a misspelt
// issuer, and for a provider at which nothing listens).
func TestCheck(t *testing.T) {
	t.Parallel()
	const uri = "https://app.example.com/cb"
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	back := func(query string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("prompt") != "none" || r.URL.Query().Get("redirect_uri") != uri {
				t.Errorf("asked for %s", r.URL)
			}
			http.Redirect(w, r, uri+"?"+query, http.StatusFound)
		}
	}
	good := map[string]http.HandlerFunc{"/token": answer(400, `{"error":"invalid_grant"}`), "/auth": back("error=login_required&state=doctor")}
	for name, tt := range map[string]struct {
		edit      func(*op, *Config)
		want      string // in the error; "" for none
		permanent bool
		warns     string
	}{
		"all is well":         {nil, "", false, ""},
		"signed in there":     {func(o *op, _ *Config) { o.on("/auth", back("code=x&state=doctor")) }, "", false, ""},
		"a page":              {func(o *op, _ *Config) { o.on("/auth", answer(200, "<html>")) }, "", false, ""},
		"issuer with a slash": {func(_ *op, c *Config) { c.Issuer += "/" }, "differ in the slash at the end", true, ""},
		"another path": {func(o *op, c *Config) {
			c.Issuer += "/realms/main"
			o.on("/realms/main"+discoveryPath, answer(404, ""))
		}, "is the issuer written exactly as the provider writes it?", true, ""},
		"a page in the metadata's place": {func(o *op, c *Config) {
			c.IssuerCure = "Check the realm."
			o.on(discoveryPath, answer(200, "<html>"))
		}, "is the issuer written exactly as the provider writes it? Check the realm.", true, ""},
		"https, and it speaks http": {func(_ *op, c *Config) {
			c.Issuer, c.HTTPClient = strings.Replace(c.Issuer, "http:", "https:", 1), nil
		}, "speaks plain http at this address", true, ""},
		"what it says of the client": {func(o *op, _ *Config) {
			o.on("/token", answer(401, `{"error":"invalid_client","error_description":"AADSTS7000215: not s3cr3t, the secret's id"}`))
		}, `"invalid_client" (AADSTS7000215: not [secret], the secret's id); check client_id`, true, ""},
		"a page that says what is wrong": {func(o *op, c *Config) {
			c.PageFaults = map[string]string{"AADSTS50011": "add the redirect URI"}
			o.on("/auth", answer(200, "<html>AADSTS50011: The redirect URI"))
		}, "add the redirect URI (it says AADSTS50011); the redirect URI is " + uri, true, ""},
		"an address that does": {func(o *op, c *Config) {
			c.PageFaults = map[string]string{"/signin/oauth/error": "check client_id"}
			o.on("/auth", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/signin/oauth/error?x=y", http.StatusFound)
			})
		}, "check client_id", true, ""},
		"nothing listens":      {func(o *op, _ *Config) { o.Close() }, "connection refused", false, ""},
		"no keys":              {func(o *op, _ *Config) { o.on("/keys", answer(200, `{"keys":[]}`)) }, "no key that can be used", false, ""},
		"client secret":        {func(o *op, _ *Config) { o.on("/token", answer(401, `{"error":"invalid_client"}`)) }, "check client_id, client_secret", true, ""},
		"redirect URI":         {func(o *op, _ *Config) { o.on("/auth", answer(400, "Invalid parameter: redirect_uri")) }, "is the redirect URI " + uri + " registered", true, ""},
		"redirect URI, Google": {func(o *op, _ *Config) { o.on("/token", answer(400, `{"error":"redirect_uri_mismatch"}`)) }, "register the redirect URI", true, ""},
		"scope":                {func(o *op, _ *Config) { o.on("/auth", back("error=invalid_scope")) }, `answers "invalid_scope" to a sign-in`, true, ""},
		"no token endpoint":    {func(o *op, _ *Config) { o.on("/token", answer(404, "<html>")) }, "/token answers 404, and no JSON; is that the token endpoint?", true, ""},
		"client of its own kind": {func(o *op, c *Config) {
			c.ClientCure = "check team_id"
			o.on("/token", answer(400, `{"error":"invalid_client"}`))
		}, `"invalid_client" (); check team_id`, true, ""},
		"token endpoint down": {func(o *op, _ *Config) { o.on("/token", answer(503, "")) }, "answers 503", false, ""},
		"a scope not listed": {func(o *op, c *Config) {
			o.metadata, c.Scopes = func(m obj) { m["scopes_supported"] = []string{"openid", "email"} }, []string{"openid", "groups"}
		}, "", false, "does not list the scope groups"},
		"no sign-out there": {func(o *op, c *Config) {
			o.metadata, c.SignOut = func(m obj) { delete(m, "end_session_endpoint") }, true
		}, "", false, "no end_session_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			for path, handler := range good {
				o.on(path, handler)
			}
			p := o.client(func(c *Config) {
				c.Logger = discard
				if tt.edit != nil {
					tt.edit(o, c)
				}
			})
			warnings, err := p.Check(t.Context(), []string{uri})
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Check() = %v, want %q", err, tt.want)
			case errors.Is(err, provider.ErrMisconfigured) != tt.permanent:
				t.Errorf("for good: %t in %v", !tt.permanent, err)
			}
			if got := strings.Join(warnings, "; "); (tt.warns == "") != (got == "") || !strings.Contains(got, tt.warns) {
				t.Errorf("it warns %q, want %q", got, tt.warns)
			}
		})
	}
}

// TestCheckRedeemsNothing: the doctor obtains no token, even at a provider that takes
// any code.
func TestCheckRedeemsNothing(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.on("/auth", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	if _, err := o.client(nil).Check(t.Context(), []string{"https://app.example.com/cb"}); err != nil {
		t.Fatal(err)
	}
	if want := (url.Values{"code": {invalidCode}}); o.form.Get("code") != want.Get("code") || o.form.Get("grant_type") != "authorization_code" {
		t.Errorf("it sent %v", o.form)
	}
}
