package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// RFC 7662, section 2.2: whatever the reason, a token that is not good, or not
// the caller's business, is the same three words.
func TestRFC7662_InactiveIsInactive(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	revoked, foreign, rotated := w.tokens(b, nil), w.tokens(b, nil), w.tokens(b, nil)
	old := rotated.answer.text("refresh_token")
	fresh := w.call("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old}}, basic("web"))
	w.call("revoke", url.Values{"token": {revoked.answer.text("refresh_token")}}, basic("web"))
	ask := func(raw, id string) said { return w.call("introspect", url.Values{"token": {raw}}, basic(id)) }
	refresh := fresh.answer.text("refresh_token")
	for name, c := range map[string]struct{ raw, id string }{
		"a revoked access token":                 {revoked.answer.text("access_token"), "web"},
		"a revoked refresh token":                {revoked.answer.text("refresh_token"), "web"},
		"a foreign access token":                 {foreign.answer.text("access_token"), "other"},
		"a foreign refresh token":                {foreign.answer.text("refresh_token"), "other"},
		"a refresh token that was used":          {old, "web"},
		"an ID token":                            {fresh.answer.text("id_token"), "web"},
		"a code":                                 {w.code(b, authorizeParams("web", "https://web.test/cb", "openid")), "web"},
		"an unknown one":                         {"x", "web"},
		"a refresh token cut short":              {refresh[:len(refresh)-1], "web"},
		"a refresh token extended":               {refresh + "A", "web"},
		"a refresh token and a line feed":        {refresh + "\n", "web"},
		"an access token and a line feed":        {fresh.answer.text("access_token") + "\n", "web"},
		"an access token with a line feed":       {fresh.answer.text("access_token")[:len(fresh.answer.text("access_token"))-4] + "\n" + fresh.answer.text("access_token")[len(fresh.answer.text("access_token"))-4:], "web"},
		"a refresh token as a session's":         {strings.Replace(refresh, "gtr_", "gts_", 1), "web"},
		"a refresh token that claims the future": {strings.Repeat("A", len(refresh)), "web"},
		"NUL":                                    {"\x00", "web"},
		"no UTF-8":                               {"\xff\xfe", "web"},
		"one without end":                        {"gtr_" + strings.Repeat("A", 60_000), "web"},
	} {
		got := ask(c.raw, c.id)
		if got.status != http.StatusOK || got.text != inactive || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", name, got.status, got.text, got.header)
		}
	}
	for hint, raw := range map[string]string{"access_token": refresh, "refresh_token": fresh.answer.text("access_token"), "x": refresh} {
		if got := w.call("introspect", url.Values{"token": {raw}, "token_type_hint": {hint}}, basic("web")); got.body["active"] != true {
			t.Errorf("hint %s: %s", hint, got.text)
		}
	}
	w.clock.advance(20 * time.Minute)
	if got := ask(fresh.answer.text("access_token"), "web"); got.text != inactive {
		t.Errorf("an expired access token: %s", got.text)
	}
	w.clock.advance(8 * 24 * time.Hour)
	if got := ask(refresh, "web"); got.text != inactive {
		t.Errorf("an expired refresh token: %s", got.text)
	}
}

// Section 2.1: the caller proves who it is, and sends the token in the body.
func TestRFC7662_Callers(t *testing.T) {
	resource := client.Client{
		ID: "api", Secrets: []client.Secret{client.NewSecret("api-secret-of-enough-length")}, ResourceServer: []string{"urn:api"},
	}
	clients := append(oauthClients(), &resource)
	clients[0].Audience = "urn:api"
	clients[1].Audience, clients[1].Resources = "urn:api", []string{"urn:api"}
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	got := w.tokens(w.signedInBrowser(), nil)
	access := got.answer.text("access_token")
	_, claims := claimsOf(t, access)
	for _, id := range []string{"web", "api"} {
		said := w.call("introspect", url.Values{"token": {access}}, basic(id))
		for name, want := range map[string]any{
			"active": true, "client_id": "web", "username": "alice", "token_type": "Bearer", "sub": claims["sub"], "iss": w.portalURL(),
			"jti": claims["jti"], "scope": "openid offline_access", "exp": claims["exp"], "iat": claims["iat"],
		} {
			if said.body[name] != want {
				t.Errorf("%s is told that %s is %v, want %v", id, name, said.body[name], want)
			}
		}
	}
	// Who may ask for tokens of a resource is not the resource's server, and has no
	// business with those of others.
	if said := w.call("introspect", url.Values{"token": {access}}, basic("other")); said.text != inactive {
		t.Errorf("another client of the same resource sees %s", said.text)
	}
	// A refresh token is nobody's business but its client's.
	if said := w.call("introspect", url.Values{"token": {got.answer.text("refresh_token")}}, basic("api")); said.text != inactive {
		t.Errorf("the resource server sees a refresh token: %s", said.text)
	}
	form := url.Values{"token": {access}}
	w.call("introspect", form).refused(t, "nobody", http.StatusUnauthorized, "invalid_client")
	w.call("introspect", with(form, set("client_id", "cli"))).refused(t, "a public client", http.StatusUnauthorized, "invalid_client")
	w.call("introspect", url.Values{}, basic("web")).refused(t, "no token", http.StatusBadRequest, "invalid_request")
	w.call("introspect", only("token", ""), basic("web")).refused(t, "an empty token", http.StatusBadRequest, "invalid_request")
	w.call("introspect", only("token", access, access), basic("web")).refused(t, "two tokens", http.StatusBadRequest, "invalid_request")
	w.call("introspect", with(form, set("token_type_hint", "x", "y")), basic("web")).refused(t, "two hints", http.StatusBadRequest, "invalid_request")
	w.call("introspect?token="+access, url.Values{}, basic("web")).refused(t, "a token in the URL", http.StatusBadRequest, "invalid_request")
}

func only(name string, values ...string) url.Values { return url.Values{name: values} }

// RFC 7009, sections 2 and 2.1: who may revoke what, and how far it goes.
func TestRFC7009_Revocation(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	active := func(raw string) bool {
		return w.call("introspect", url.Values{"token": {raw}}, basic("web")).body["active"] == true
	}
	done := func(what string, form url.Values, headers ...string) {
		t.Helper()
		if got := w.call("revoke", form, headers...); got.status != http.StatusOK || got.text != "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q", what, got.status, got.text)
		}
	}
	pair := w.tokens(b, nil)
	access, refresh := pair.answer.text("access_token"), pair.answer.text("refresh_token")
	for what, raw := range map[string]string{
		"junk": "x", "cut short": refresh[:len(refresh)-1], "extended": refresh + "A", "a line feed more": refresh + "\n", "no UTF-8": "\xff",
		"an access token cut short": access[:len(access)-1], "an ID token": pair.answer.text("id_token"), "without end": strings.Repeat("A", 60_000),
	} {
		done(what, url.Values{"token": {raw}}, basic("web"))
	}
	for what, raw := range map[string]string{"a foreign refresh token": refresh, "a foreign access token": access} {
		// Section 2.1: the client is told.
		w.call("revoke", url.Values{"token": {raw}}, basic("other")).refused(t, what, http.StatusBadRequest, "invalid_grant")
		w.call("revoke", url.Values{"token": {raw}, "client_id": {"native"}}).refused(t, what+", by a public client", http.StatusBadRequest, "invalid_grant")
	}
	w.call("revoke", url.Values{"token": {refresh}}).refused(t, "nobody", http.StatusUnauthorized, "invalid_client")
	w.call("revoke", url.Values{"token": {refresh}, "client_id": {"web"}}).refused(t, "no secret", http.StatusUnauthorized, "invalid_client")
	w.call("revoke", url.Values{}, basic("web")).refused(t, "no token", http.StatusBadRequest, "invalid_request")
	w.call("revoke", only("token", refresh, refresh), basic("web")).refused(t, "two tokens", http.StatusBadRequest, "invalid_request")
	w.call("revoke?token="+refresh, url.Values{}, basic("web")).refused(t, "in the URL", http.StatusBadRequest, "invalid_request")
	if !active(access) || !active(refresh) {
		t.Fatal("one of these revoked what it must not")
	}
	// Each token of a family ends it, an old one too, whatever the hint says.
	for what, c := range map[string]struct {
		hint string
		of   func(pair, next said) string
	}{
		"the refresh token":             {"", func(_, next said) string { return next.answer.text("refresh_token") }},
		"the refresh token, misnamed":   {"access_token", func(_, next said) string { return next.answer.text("refresh_token") }},
		"the refresh token before it":   {"refresh_token", func(pair, _ said) string { return pair.answer.text("refresh_token") }},
		"the access token":              {"access_token", func(_, next said) string { return next.answer.text("access_token") }},
		"the access token, misnamed":    {"refresh_token", func(_, next said) string { return next.answer.text("access_token") }},
		"the access token, named oddly": {"x", func(_, next said) string { return next.answer.text("access_token") }},
	} {
		pair := w.tokens(b, nil)
		next := w.call("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {pair.answer.text("refresh_token")}}, basic("web"))
		form := url.Values{"token": {c.of(pair, next)}}
		if c.hint != "" {
			form.Set("token_type_hint", c.hint)
		}
		for range 2 { // the second time is as good as the first
			done(what, form, basic("web"))
		}
		for _, raw := range []string{pair.answer.text("access_token"), next.answer.text("access_token"), next.answer.text("refresh_token")} {
			if active(raw) {
				t.Errorf("%s: a token of the family is alive", what)
			}
		}
		w.call("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {next.answer.text("refresh_token")}}, basic("web")).
			refused(t, what, http.StatusBadRequest, "invalid_grant")
	}
	// A public client revokes its own by its name.
	code := w.code(b, authorizeParams("native", "com.example.app:/cb", "openid offline_access"))
	own := w.call("token", with(redeem(code), func(v url.Values) { v.Set("client_id", "native"); v.Set("redirect_uri", "com.example.app:/cb") }))
	form := url.Values{"client_id": {"native"}, "token": {own.answer.text("refresh_token")}}
	done("a public client's own", form)
	w.call("token", url.Values{"client_id": {"native"}, "grant_type": {"refresh_token"}, "refresh_token": {form.Get("token")}}).
		refused(t, "after that", http.StatusBadRequest, "invalid_grant")
	if !active(access) {
		t.Error("what else the person had is gone")
	}
}

// deafStore takes no revocation while it is down.
type deafStore struct {
	tokenstore.Store
	down *atomic.Bool
}

func (s deafStore) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	if s.down.Load() {
		return nil, tokenstore.ErrUnavailable
	}
	return s.Store.RevokeSession(ctx, id)
}

func (s deafStore) RevokeTokenID(ctx context.Context, jti string, until time.Time) error {
	if s.down.Load() {
		return tokenstore.ErrUnavailable
	}
	return s.Store.RevokeTokenID(ctx, jti, until)
}

// Section 2.2.1: what was not stored was not revoked, and nobody is told that it
// was (CVE-2020-15223).
func TestRFC7009_NotStoredIsNotRevoked(t *testing.T) {
	down := new(atomic.Bool)
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return deafStore{s, down}, c
	}})
	b := w.signedInBrowser()
	pair, other := w.tokens(b, nil), w.tokens(b, nil)
	own := w.call("token", url.Values{"grant_type": {"client_credentials"}}, basic("web"))
	web := app{t, w, "web", "web-secret-of-enough-length"}
	down.Store(true)
	for what, raw := range map[string]string{
		"a refresh token": pair.answer.text("refresh_token"), "an access token": other.answer.text("access_token"), "a client's own": own.answer.text("access_token"),
	} {
		got := web.post("revoke", url.Values{"token": {raw}})
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.text("error") != "temporarily_unavailable" {
			t.Errorf("%s: %d %v", what, got.status, got.body)
		}
	}
}
