package flows_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// A token for a resource is of no use at another one, which userinfo is (RFC 9068,
// section 4). What a client without resources has, is for userinfo, whatever its
// own audience.
func TestUserinfo_TakesTokensThatAreForTheIssuer(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "api", Secrets: []client.Secret{client.NewSecret("api-secret-of-enough-length")}, FirstParty: true,
		RedirectURIs: []string{"https://web.test/cb"}, Audience: "https://api.test",
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	b := w.signedInBrowser()
	site, issuer := w.siteURL("one"), w.portalURL()
	for name, c := range map[string]struct {
		client    string
		resources []string
		want      int
	}{
		"no resource":               {"web", nil, http.StatusOK},
		"the issuer":                {"web", []string{issuer}, http.StatusOK},
		"a site":                    {"web", []string{site}, http.StatusUnauthorized},
		"a site and the issuer":     {"web", []string{site, issuer}, http.StatusOK},
		"an audience of its own":    {"api", nil, http.StatusOK},
		"that audience, as asked":   {"api", []string{"https://api.test"}, http.StatusUnauthorized},
		"that, and the issuer, too": {"api", []string{"https://api.test", issuer}, http.StatusOK},
	} {
		params := with(authorizeParams(c.client, "https://web.test/cb", "openid profile"), func(v url.Values) { v["resource"] = c.resources })
		got := w.call("token", redeem(w.code(b, params)), basic(c.client))
		if got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, got.status, got.text)
		}
		info := w.send(http.MethodGet, issuer+"/userinfo", "", "Authorization: Bearer "+got.answer.text("access_token"))
		if info.status != c.want {
			t.Errorf("%s: %d %s %v", name, info.status, info.text, info.header["Www-Authenticate"])
		}
	}
}
