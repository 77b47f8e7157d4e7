package flows_test

import (
	"crypto/rand"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// Clients keep ID tokens for months, and send them along: a key that is gone
// must not keep people from signing in.
func TestOpenID_HintWhoseKeyIsGone(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	gone := w.otherKeys()
	signed := func(typ, issuer, client string) string {
		raw, err := gone.Sign(typ, token.ES256, jwt.RegisteredClaims{Issuer: issuer, Subject: "x", Audience: jwt.ClaimStrings{client}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	old := signed(token.TypeID, w.portalURL(), "web")
	alice := w.signedInBrowser()
	for name, c := range map[string]struct{ hint, prompt, want string }{
		"as if it were not there":   {old, "", ""},
		"silently, it means nobody": {old, "none", "login_required"},
		"another issuer's":          {signed(token.TypeID, "https://evil.test", "web"), "", "invalid_request"},
		"another client's":          {signed(token.TypeID, w.portalURL(), "other"), "", "invalid_request"},
		"an access token":           {signed(token.TypeAccess, w.portalURL(), "web"), "", "invalid_request"},
		"an unsigned one":           {unsecured(old), "", "invalid_request"},
	} {
		if got := w.toClient(alice, aboutHint(c.hint, c.prompt)); got == nil || got.Get("error") != c.want || got.Has("code") != (c.want == "") {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
	}
	nobody := newBrowser(t).held()
	if got := w.toClient(nobody, aboutHint(old, "")); got != nil || !strings.Contains(nobody.body, "password") {
		t.Errorf("nobody is not asked to sign in: %d %v", nobody.last.StatusCode, got)
	}
}

// Before the keys are loaded nothing can be verified.
func TestOpenID_HintBeforeThereAreKeys(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	alice := w.signedInBrowser()
	hint := w.tokens(alice, nil).answer.text("id_token")
	w.gateway.Keys = token.NewKeys(token.Config{})
	if got := w.toClient(alice, aboutHint(hint, "")); !got.Has("code") {
		t.Errorf("a hint: %v", got)
	}
	if got := w.toClient(alice, aboutHint(hint, "none")); got.Get("error") != "login_required" {
		t.Errorf("a hint, silently: %v", got)
	}
	if got := w.toClient(alice, aboutHint("x", "")); got.Get("error") != "invalid_request" {
		t.Errorf("no hint at all: %v", got)
	}
}

func aboutHint(hint, prompt string) url.Values {
	return with(authorizeParams("web", "https://web.test/cb", "openid"), func(v url.Values) {
		v.Set("id_token_hint", hint)
		v.Set("prompt", prompt)
	})
}

// unsecured is a token that claims to need no signature.
func unsecured(raw string) string {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	return "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + payload + "."
}

// otherKeys are keys that the world does not have.
func (w *world) otherKeys() *token.Keys {
	w.t.Helper()
	store, err := sqlite.Open(filepath.Join(w.t.TempDir(), "other.db"), sqlite.Options{Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = store.Close() })
	if err := store.Migrate(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ring, err := keyring.New(rand.Reader, []byte("a secret that only tests know"))
	if err != nil {
		w.t.Fatal(err)
	}
	keys := token.NewKeys(token.Config{
		Store: store, Keyring: ring, Logger: w.gateway.Logger, Now: w.clock.now, Random: rand.Reader, Algorithms: []string{token.ES256},
	})
	if err := keys.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return keys
}
