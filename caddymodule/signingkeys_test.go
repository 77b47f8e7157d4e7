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
		"of its algorithm":            {file, "ES256", nil},
		"of another":                  {file, "RS256", []string{`client "legacy"`, "RS256", file, "only of ES256", "write id_token_signing_alg ES256"}},
		"of the default":              {file, "", []string{`client "legacy"`, "RS256", file, "write id_token_signing_alg ES256"}},
		"of its access tokens":        {file, "ES256\naccess_token_signing_alg EdDSA", []string{`client "legacy"`, "access tokens", "EdDSA", "write access_token_signing_alg ES256"}},
		"of what it never gets":       {file, "RS256\nscopes profile", nil},
		"in a file that is not there": {filepath.Join(t.TempDir(), "none.json"), "RS256", []string{"signing_keys", "none.json", "no such file", "leave signing_keys out"}},
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

// validate and doctor refuse the files that a start refuses, and name them: a server
// without its keys would tell every client to try again, for ever.
func TestSigningKeys_ThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	text := "{\n\tstorage file_system " + dir + "\n\tgatehouse {\ntoken_store sqlite " + dir + "/gatehouse.db\nsigning_keys " + dir + "/keys.json\n" + aliceLocal +
		"}\n}\nhttp://app.example.com {\n\tgatehouse\n}\n"
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		"":                            "no such file",
		" ":                           "not a JWKS",
		"-----BEGIN PRIVATE KEY-----": "not a JWKS",
		`{"keys":[]}`:                 "holds no key",
		`{"keys":[{"kty":"OKP","alg":"EdDSA","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`: "no private key",
	} {
		if content != "" {
			if err := os.WriteFile(filepath.Join(dir, "keys.json"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := command("doctor", "--config", file, "--adapter", "caddyfile")
		if err == nil || !strings.Contains(err.Error(), "signing_keys") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir+"/keys.json") {
			t.Errorf("doctor, with %q: %v", content, err)
		}
		adapted, err := adapt(text)
		if err == nil {
			_, err = provision(t, []byte(adapted))
		} else if !strings.Contains(err.Error(), "Caddyfile:5") {
			t.Errorf("%v names no line", err)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("validate, with %q: %v", content, err)
		}
		_ = os.Remove(filepath.Join(dir, "keys.json"))
	}
}

// A file that vanishes while the server runs changes nothing, but doctor says so: the
// next start would be refused.
func TestSigningKeys_VanishWhileTheServerRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key, KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	r := serve(t, "gate_client off\nsigning_keys "+file+"\n"+aliceLocal, "http://app.example.com {\n\tgatehouse\n}\n")
	for _, present := range []bool{true, false} {
		if !present {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if err := r.app.shared.tokens.Refresh(t.Context()); err == nil {
				t.Error("the file that is gone was read")
			}
		}
		h := r.app.health(t.Context())
		if h.Status != "ok" {
			t.Errorf("present %t: %+v", present, h)
		}
		if says := strings.Contains(strings.Join(h.Warnings, "\n"), file); says == present {
			t.Errorf("present %t: the warnings are %q", present, h.Warnings)
		}
	}
	if keys := r.do(get("http://app.example.com/.gatehouse/jwks.json")).Body.String(); !strings.Contains(keys, `"one"`) {
		t.Errorf("published: %s", keys)
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
