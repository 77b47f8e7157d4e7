package flows_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDiscovery_IsTrueAndCacheable(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := newBrowser(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		b.get(w.portalURL()+path).want(200, `"issuer":"`+w.portalURL()+`"`)
		if !strings.HasPrefix(b.last.Header.Get("Cache-Control"), "public") {
			t.Errorf("%s: %v", path, b.last.Header)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(b.body), &doc); err != nil {
		t.Fatal(err)
	}
	for name, v := range doc {
		endpoint, ok := v.(string)
		if !ok || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		b.get(endpoint)
		if b.last.StatusCode == 404 {
			t.Errorf("%s is not there: %s", name, endpoint)
		}
	}
	b.get(w.portalURL()+"/jwks.json").want(200, `"kid"`)
	if strings.Contains(b.body, `"d"`) {
		t.Error("the key set holds a private key")
	}
}
