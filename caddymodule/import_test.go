package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// TestImport_AnywhereInAProvider: an `import` in a provider's block stands for its lines,
// wherever it is. As the last line, with options that are every provider's, it made a
// scope of the closing brace, since what was imported is from a lower line.
func TestImport_AnywhereInAProvider(t *testing.T) {
	files := map[string]string{
		"rules.caddy":  "allow domain example.com\n",
		"nested.caddy": "import rules.caddy\n",
		"client.caddy": "client_id x\nclient_secret {env.HOME}\n",
		"scopes.caddy": "scopes openid email\n",
		"quoted.caddy": "scopes openid \"email\"\ntitle \"The\n\nCompany\"\n",
		"block.caddy":  "endpoints {\n\ttoken https://sso.example.com/token\n}\nallow domain example.com\n",
		"of.caddy":     "scopes {args[:]}\nallow domain example.com\n",
		"whole.caddy":  "provider google {\n\tclient_id x\n\tclient_secret {env.HOME}\n\tscopes openid email\n\timport rules.caddy\n}\n",
	}
	const written = "scopes openid email"
	for name, block := range map[string]string{
		"none":                      "client_id x\nclient_secret {env.HOME}\n" + written + "\nallow domain example.com\n",
		"a snippet at the end":      "client_id x\nclient_secret {env.HOME}\n" + written + "\nimport rules\n",
		"a snippet in a snippet":    "client_id x\nclient_secret {env.HOME}\n" + written + "\nimport nested\n",
		"a file at the end":         "client_id x\nclient_secret {env.HOME}\n" + written + "\nimport rules.caddy\n",
		"a file in a file":          "client_id x\nclient_secret {env.HOME}\n" + written + "\nimport nested.caddy\n",
		"a file of the client's":    "import client.caddy\n" + written + "\nimport rules\n",
		"the last option of its":    "client_id x\nallow domain example.com\nclient_secret {env.HOME}\nimport scopes.caddy\n",
		"a snippet with the scopes": "client_id x\nclient_secret {env.HOME}\nimport rules\nimport scopes\n",
		"snippets alone":            "import client.caddy\nimport scopes\nimport rules\n",
		"with values":               "import client.caddy\nimport of.caddy openid email\n",
		"title over many lines":     "import client.caddy\nimport quoted.caddy\nimport rules\n",
		"first":                     "import rules\nclient_id x\nclient_secret {env.HOME}\n" + written + "\n",
		"a block":                   "import client.caddy\n" + written + "\nimport block.caddy\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			checkImported(t, dir, "provider google {\n"+block+"}\n")
		})
	}
	t.Run("the whole provider", func(t *testing.T) {
		dir := t.TempDir()
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		checkImported(t, dir, "import whole.caddy\n")
	})
}

// checkImported adapts a block with one provider of google's, beside snippets.
func checkImported(t *testing.T, dir, provider string) {
	t.Helper()
	text := "(rules) {\n\tallow domain example.com\n}\n(nested) {\n\timport rules\n}\n(scopes) {\n\tscopes openid email\n}\n" +
		"{\n\tgatehouse {\n" + provider + "\t\tclient cli {\n\t\t\tpublic\n\t\t\tgrants device_code\n\t\t}\n\t}\n}\napp.example.com {\n\tgatehouse\n}\n"
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": filepath.Join(dir, "Caddyfile")})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var got struct {
		Apps struct {
			Gatehouse struct {
				Providers []struct {
					Name   string           `json:"name"`
					Allow  []map[string]any `json:"allow"`
					Module struct {
						ClientID string   `json:"client_id"`
						Secret   string   `json:"client_secret"`
						Scopes   []string `json:"scopes"`
					} `json:"module"`
				} `json:"providers"`
				Clients []map[string]any `json:"clients"`
			} `json:"gatehouse"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	app := got.Apps.Gatehouse
	if len(app.Providers) != 1 || len(app.Clients) != 1 {
		t.Fatalf("%d providers and %d clients:\n%s", len(app.Providers), len(app.Clients), raw)
	}
	p := app.Providers[0]
	if scopes := strings.Join(p.Module.Scopes, " "); scopes != "openid email" || p.Module.ClientID != "x" || p.Module.Secret != "{env.HOME}" || len(p.Allow) != 1 {
		t.Errorf("scopes %q, client %q, secret %q, %d rules:\n%s", scopes, p.Module.ClientID, p.Module.Secret, len(p.Allow), raw)
	}
}
