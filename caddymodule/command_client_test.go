package caddymodule

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func TestClientNew_PrintsABlockThatTheCaddyfileTakes(t *testing.T) {
	for name, c := range map[string]*client.Client{
		"confidential": {ID: "grafana", FirstParty: true, RedirectURIs: []string{"https://grafana.example.com/login/generic_oauth"}},
		"public":       {ID: "com.example-app", Public: true, RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"}},
		"device": {
			ID: "tool", Public: true, Grants: []string{client.GrantDevice, client.GrantRefresh},
			Scopes: []string{"openid", "offline_access"},
		},
		"session": {ID: "app", RedirectURIs: []string{"https://app.example.com/cb"}, RefreshTokens: client.RefreshSession},
		"offline": {
			ID: "app", RedirectURIs: []string{"https://app.example.com/cb"}, RefreshTokens: client.RefreshOffline,
			Scopes: []string{"openid", "offline_access"},
		},
		"always": {ID: "app", RedirectURIs: []string{"https://app.example.com/cb"}, RefreshTokens: client.RefreshAlways},
	} {
		t.Run(name, func(t *testing.T) {
			secret := ""
			if !c.Public {
				secret = newSecret()
				c.Secrets = []client.Secret{client.NewSecret(secret)}
			}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := printClient(&out, c, secret); err != nil {
				t.Fatal(err)
			}
			block, rest, _ := strings.Cut(out.String(), "\n}\n")
			if (secret != "") != strings.Contains(rest, "="+secret) || strings.Contains(block, secret) && secret != "" {
				t.Errorf("the secret is in the wrong place:\n%s", out.String())
			}
			app := new(App)
			text := "gatehouse {\nprovider local {\nuser alice " + testHash + "\n}\n" + block + "\n}\n}"
			if err := app.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			got := app.Clients[0]
			if got.ID != c.ID || got.Public != c.Public || got.FirstParty != c.FirstParty || len(got.RedirectURIs) != len(c.RedirectURIs) {
				t.Errorf("read back as %+v", got)
			}
			again := &client.Client{ID: "x", Public: true, Grants: c.Grants, RedirectURIs: c.RedirectURIs, Scopes: got.Scopes, RefreshTokens: client.RefreshTokens(got.RefreshTokens)}
			if err := again.Validate(); err != nil || again.RefreshTokens != c.RefreshTokens || !slices.Equal(again.Scopes, c.Scopes) {
				t.Errorf("read back with refresh tokens %s, scopes %v: %v", again.RefreshTokens, again.Scopes, err)
			}
		})
	}
}

const testHash = "$2a$14$9jP1FvPUB4hhTfuxwWYIW.qxLkoBBikiLyKQWNNBMP9EOWx/Fs/cC"

func TestSecretVariable_IsAName(t *testing.T) {
	for id, want := range map[string]string{"grafana": "GRAFANA_SECRET", "com.example-app": "COM_EXAMPLE_APP_SECRET", "3scale": "CLIENT_3SCALE_SECRET"} {
		if got := secretVariable(id); got != want {
			t.Errorf("the variable for client %s is %s, want %s", id, got, want)
		}
	}
}
