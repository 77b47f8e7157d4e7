package upgrade_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// TestCaddyfiles_OfTheOldGatewayLoad: whatever it took is taken, with no more than
// a warning, and runs.
func TestCaddyfiles_OfTheOldGatewayLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "caddyfiles", "*.Caddyfile"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found no Caddyfiles: %v", err)
	}
	env := environment(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			moved, _ := gateway.Move(t, string(text))
			for name, binary := range map[string]string{"old": gateway.BinaryOf(t, before), "today's": gateway.Binary(t)} {
				for _, verb := range []string{"adapt", "validate"} {
					check := exec.CommandContext(t.Context(), binary, verb, "--config", "-", "--adapter", "caddyfile")
					check.Env, check.Stdin = append(os.Environ(), env...), strings.NewReader(moved)
					if out, err := check.CombinedOutput(); err != nil {
						t.Fatalf("the %s gateway refuses to %s: %v\n%s", name, verb, err, out)
					}
				}
			}
			gateway.Start(t, gateway.Options{
				Caddyfile: moved, Env: env,
				Degraded: strings.Contains(moved, "addresses 127.0.0.1"), // where nothing is
			})
		})
	}
}

// environment is what those Caddyfiles take from it.
func environment(t *testing.T) []string {
	t.Helper()
	redis := redistest.URL(t)
	address, _, _ := strings.Cut(strings.TrimPrefix(redis, "redis://"), "/")
	env := []string{
		"DATABASE_URL=" + postgrestest.URL(t), "REDIS_URL=" + redis, "REDIS_ADDRESS=" + address, "REDIS_PASSWORD=a password for tests",
		"GATEHOUSE_SECRET=a secret of these databases, for tests alone", "FORMER_SECRET=another secret of these databases, for tests",
		"SQLITE_FILE=" + filepath.Join(t.TempDir(), "store.db"),
	}
	for _, name := range []string{"GOOGLE_CLIENT_ID", "GITHUB_CLIENT_ID"} {
		env = append(env, name+"=gatehouse")
	}
	for _, name := range []string{"GOOGLE_CLIENT", "GITHUB_CLIENT", "STAFF_CLIENT", "GRAFANA", "API"} {
		env = append(env, name+"_SECRET=a secret of "+strings.ToLower(name)+", for these tests alone")
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return append(env,
		"SIGNING_KEYS="+keyFile(t, jose.JSONWebKey{Key: ec, Algorithm: "ES256"}, jose.JSONWebKey{Key: ed, Algorithm: "EdDSA"}, jose.JSONWebKey{Key: rs, Algorithm: "RS256"}),
		"CLIENT_KEYS="+keyFile(t, jose.JSONWebKey{Key: ec.Public(), KeyID: "robot", Algorithm: "ES256", Use: "sig"}))
}

func keyFile(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
