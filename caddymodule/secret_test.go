package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logTo sends what Caddy logs to a file until the test ends.
func logTo(t *testing.T, file string) {
	t.Helper()
	logged := fmt.Sprintf(`{"admin": {"disabled": true}, "logging": {"logs": {"default": {"writer": {"output": "file", "filename": %q}, "encoder": {"format": "json"}}}}}`, file)
	if _, err := provision(t, []byte(logged)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := provision(t, []byte(`{"admin": {"disabled": true}}`)); err != nil {
			t.Error(err)
		}
	})
}

func TestLiteralSecrets_AreWarnedAboutWithFileAndLine(t *testing.T) {
	dir := t.TempDir()
	log, imported := filepath.Join(dir, "log.json"), filepath.Join(dir, "clients.conf")
	logTo(t, log)
	if err := os.WriteFile(imported, []byte("client grafana {\n\tredirect_uri https://g.example.com/cb\n\tsecret a-literal-client-secret\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEHOUSE_TEST_LITERAL", "a-literal-secret-of-the-environment")
	_, err := adapt(`{
	gatehouse {
		issuer https://auth.example.com
		token_store postgres postgres://gatehouse:a-literal-password@db/gatehouse
		cache redis redis://:a-literal-password@cache/0
		secret a-literal-secret-0123456789
		secret {$GATEHOUSE_TEST_LITERAL}
		secret {env.GATEHOUSE_TEST_SECRET}
		secret {file./run/secrets/gatehouse}
		provider corp oidc https://sso.example.com {
			client_id gatehouse
			client_secret a-literal-provider-secret
		}
		provider other oidc https://other.example.com {
			client_id gatehouse
			client_secret {env.OTHER_SECRET}
		}
		import ` + imported + `
	}
}
auth.example.com {
	gatehouse_portal
}
`)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("a-literal")) {
		t.Errorf("the log repeats a secret:\n%s", text)
	}
	type warning struct {
		Level, Logger, Msg, File string
		Line                     int
	}
	var got []string
	for line := range bytes.Lines(text) {
		var w warning
		if err := json.Unmarshal(line, &w); err != nil {
			t.Fatal(err)
		}
		what, _, found := strings.Cut(w.Msg, " is written out in the configuration; keep it in a file or the environment")
		if w.Level == "warn" && w.Logger == "gatehouse" && found {
			got = append(got, fmt.Sprintf("%s:%d: %s", filepath.Base(w.File), w.Line, what))
		}
	}
	want := []string{
		"Caddyfile:4: the password in the database's address",
		"Caddyfile:5: the password in the Redis URL",
		"Caddyfile:6: secret",
		"Caddyfile:7: secret",
		"Caddyfile:12: client_secret",
		"clients.conf:3: the secret of client grafana",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
