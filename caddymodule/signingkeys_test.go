package caddymodule

import (
	"bytes"
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

// A client whose ID tokens nothing can sign would hear "try again in a few
// seconds" for ever.
func TestSigningKeys_HoldOneForEachClient(t *testing.T) {
	const site = "http://app.example.com {\n\tgatehouse\n\trespond ok\n}"
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
	client := func(alg string) string {
		if alg != "" {
			alg = "id_token_signing_alg " + alg
		}
		return "\nclient legacy {\nsecret a-secret-that-is-long-enough\nredirect_uri https://legacy.example.com/cb\n" + alg + "\n}"
	}
	for name, c := range map[string]struct {
		file, alg string
		says      []string
	}{
		"of its algorithm":          {file, "ES256", nil},
		"of another":                {file, "RS256", []string{`client "legacy"`, "RS256", file, "only of ES256", "write id_token_signing_alg ES256"}},
		"of the default":            {file, "", []string{`client "legacy"`, "RS256", file, "write id_token_signing_alg ES256"}},
		"of its access tokens":      {file, "ES256\naccess_token_signing_alg EdDSA", []string{`client "legacy"`, "access tokens", "EdDSA", "write access_token_signing_alg ES256"}},
		"of what it never gets":     {file, "RS256\nscopes profile", nil},
		"in a file that is not yet": {filepath.Join(t.TempDir(), "none.json"), "RS256", nil},
	} {
		_, err := provision(t, config(t, t.TempDir(), "signing_keys "+c.file+"\n"+aliceLocal+client(c.alg), site))
		if (err != nil) != (c.says != nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, text := range c.says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v says nothing of %s", name, err, text)
			}
		}
	}
}

// A reload reads the file: a key that is gone from it signs nothing from then on,
// also while the configuration before is still there.
func TestReload_ReadsTheSigningKeys(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys.json")
	write := func(kid string) {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: kid, Algorithm: "ES256", Use: "sig"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	adapted := func() []byte {
		return config(t, dir, "signing_keys "+file+"\n"+aliceLocal+"client program {\nsecret a-secret-that-is-long-enough\ngrants client_credentials\nscopes openid\n}",
			"http://app.example.com {\n\tgatehouse\n"+echo+"}")
	}
	published := func(r *running) string { return r.do(get("http://app.example.com/.gatehouse/jwks.json")).Body.String() }
	write("one")
	before := adapted()
	first, err := start(t, before)
	if err != nil {
		t.Fatal(err)
	}
	if keys := published(first); !strings.Contains(keys, `"one"`) {
		t.Fatalf("published: %s", keys)
	}
	write("two")
	after := adapted()
	if bytes.Equal(before, after) {
		t.Error("the configuration is as it was, and so Caddy would not reload it")
	}
	if again := adapted(); !bytes.Equal(after, again) {
		t.Error("a configuration of the same keys is another each time")
	}
	second, err := start(t, after)
	if err != nil {
		t.Fatal(err)
	}
	defer second.stop()
	for name, r := range map[string]*running{"before": first, "after": second} {
		if keys := published(r); strings.Contains(keys, `"one"`) || !strings.Contains(keys, `"two"`) {
			t.Errorf("the configuration %s the reload publishes %s", name, keys)
		}
	}
	first.stop()
}
