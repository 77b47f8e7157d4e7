package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestKeysRotate(t *testing.T) {
	const site = "http://app.example.com {\n\tgatehouse\n\trespond ok\n}"
	t.Run("in the store", func(t *testing.T) {
		serve(t, aliceLocal, site)
		stdout, _, err := command("keys", "rotate", "--address", adminServer(t))
		if err != nil || !strings.Contains(stdout, "sign in an hour") {
			t.Errorf("rotating: %v\n%s", err, stdout)
		}
	})
	t.Run("in a file", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		serve(t, "signing_keys "+file+"\n"+aliceLocal, site)
		_, _, err = command("keys", "rotate", "--address", adminServer(t))
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "add one at its end") {
			t.Errorf("error is %v, want what to do with the file", err)
		}
	})
}

// Who lost the secret is told so, and what to do; nothing is replaced before
// somebody says that it is lost.
func TestKeysRotate_LostSecret(t *testing.T) {
	const site = "http://app.example.com {\n\tgatehouse\n\trespond ok\n}"
	dir := t.TempDir()
	run := func(secret string) *running {
		t.Helper()
		r, err := start(t, config(t, dir, "secret "+secret+"\n"+aliceLocal, site))
		if err != nil {
			t.Fatal(err)
		}
		for r.app.shared.tokens.JWKS() == nil && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		return r
	}
	run("the-secret-that-will-be-lost").stop()
	t.Cleanup(run("another-secret-that-is-kept").stop)

	address := adminServer(t)
	const advice = "keys rotate --lost-secret"
	stdout, _, err := command("doctor", "--address", address)
	if err == nil || !strings.Contains(stdout, "status       degraded") || !strings.Contains(stdout, advice) {
		t.Errorf("doctor: %v\n%s", err, stdout)
	}
	if _, _, err := command("keys", "rotate", "--address", address); err == nil || !strings.Contains(err.Error(), advice) {
		t.Errorf("rotating what is not ours: %v", err)
	}
	if _, _, err := command("keys", "rotate", "--lost-secret", "--address", address); err != nil {
		t.Errorf("replacing: %v", err)
	}
	if stdout, _, err := command("doctor", "--address", address); err != nil || strings.Contains(stdout, "signing keys") {
		t.Errorf("doctor afterwards: %v\n%s", err, stdout)
	}
}
