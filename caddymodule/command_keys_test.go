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
