package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// TestGoOIDC_IssuersWithAPath: the metadata is where OpenID Connect Discovery
// appends and RFC 8414 inserts, and no client sees a difference.
func TestGoOIDC_IssuersWithAPath(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *world{
		"a portal below a path": func(t *testing.T) *world { t.Helper(); return startBelow(t, "/realms/main", webClient) },
		"a guarded site alone":  func(t *testing.T) *world { t.Helper(); return startAlone(t, webClient) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			a := startGoApp(w, "web", webSecret, "openid", "profile", "email", "groups", "offline_access")
			a.signIn(w.alice(t))
			checkIDToken(t, a.id)
			checkUserinfo(t, a)
			if _, err := a.refresh(a.token.RefreshToken); err != nil {
				t.Error(err)
			}
			origin, path, _ := strings.Cut(strings.TrimPrefix(w.issuer, "http://"), "/")
			appended := w.send(t, http.MethodGet, w.issuer+"/.well-known/openid-configuration", "")
			for _, document := range []string{"oauth-authorization-server", "openid-configuration"} {
				inserted := w.send(t, http.MethodGet, "http://"+origin+"/.well-known/"+document+"/"+path, "")
				if inserted.status != http.StatusOK || inserted.body != appended.body || inserted.text("issuer") != w.issuer {
					t.Errorf("%s: %d %s", document, inserted.status, inserted.body)
				}
			}
		})
	}
}

func (a *goApp) refresh(token string) (*oauth2.Token, error) {
	return a.config.TokenSource(a.w.context(), &oauth2.Token{RefreshToken: token}).Token()
}

// TestGoOIDC_ARestartForgetsNothing: tokens go on after a crash, and what was
// revoked stays revoked (CVE-2026-9802).
func TestGoOIDC_ARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	w := start(t, "http", webClient)
	kept := startGoApp(w, "web", webSecret, "openid", "profile", "email", "offline_access")
	kept.signIn(w.alice(t))
	revoked := w.alice(t).tokens(authorization("web"))
	own := w.post(t, "token", map[string][]string{"grant_type": {"client_credentials"}}, basic("web", webSecret))
	for _, token := range []string{revoked.text("refresh_token"), own.text("access_token")} {
		w.post(t, "revoke", map[string][]string{"token": {token}}, basic("web", webSecret))
	}
	rotated, err := kept.refresh(kept.token.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}

	w.node.Kill(t)
	w.node.Restart(t)
	w.awaitKeys()

	for name, token := range map[string]string{
		"a revoked refresh token": revoked.text("refresh_token"), "its access token": revoked.text("access_token"),
		"a client's own token": own.text("access_token"),
	} {
		if got := w.post(t, "introspect", map[string][]string{"token": {token}}, basic("web", webSecret)); got.body != inactive {
			t.Errorf("%s after a restart: %s", name, got.body)
		}
	}
	checkUserinfo(t, kept)
	again, err := kept.refresh(kept.token.RefreshToken)
	if err != nil || again.RefreshToken != rotated.RefreshToken {
		t.Errorf("a lost answer is answered anew after a restart with another token, or %v", err)
	}
	if _, err := kept.refresh(rotated.RefreshToken); err != nil {
		t.Error(err)
	}
}
