package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeKey writes a private key and returns the file's name.
func writeKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Faults that only loading finds name the provider and the option.
func TestProvider_FaultsAtLoad(t *testing.T) {
	one, other := writeKey(t), writeKey(t)
	t.Setenv("KEY_FILE", "/nowhere/key.pem")
	provider := func(name, lines string) string {
		return "provider " + name + " oidc https://" + name + ".example.com {\n\tclient_id x\n" + lines + "\n}\n"
	}
	for name, tt := range map[string]struct{ lines, fault string }{
		"one key for two providers": {
			provider("a", "client_auth private_key_jwt "+one) + provider("b", "client_auth private_key_jwt "+one),
			"providers a and b: client_auth private_key_jwt has the same key for both",
		},
		"a key for each":     {provider("a", "client_auth private_key_jwt "+one) + provider("b", "client_auth private_key_jwt "+other), ""},
		"no file":            {provider("a", "client_auth private_key_jwt {env.KEY_FILE}"), "provider a: loading module 'oidc': provision gatehouse.providers.oidc: client_auth private_key_jwt: open /nowhere/key.pem"},
		"key and secret":     {provider("a", "client_secret {env.KEY_FILE}\nclient_auth private_key_jwt "+one), "takes the place of client_secret"},
		"http":               {provider("a", "internal_url http://keycloak:8080"), "insecure_http allows http"},
		"http as configured": {provider("a", "insecure_http\ninternal_url http://keycloak:8080"), ""},
		"no such authority":  {provider("a", "tls_trust_pool file /nowhere/ca.pem"), "/nowhere/ca.pem"},
		"one domain for two": {provider("a", "domains example.com") + provider("b", "domains Example.com"), "providers a and b: both have the domain example.com"},
		"domains of local":   {strings.Replace(aliceLocal, "{\n", "{\n\tdomains example.com\n", 1), "provider local: domains is of no use"},
		"all hidden":         {provider("a", "hidden") + strings.Replace(aliceLocal, "{\n", "{\n\thidden\n", 1), "every provider is hidden"},
		"one issuer, two namespaces": {
			provider("a", "client_secret {env.KEY_FILE}") + strings.Replace(provider("b", "identity_namespace b"), "https://b.", "https://a.", 1), "",
		},
		"one issuer": {
			provider("a", "") + strings.Replace(provider("b", ""), "https://b.", "https://a.", 1), "write identity_namespace and a name in one block",
		},
		"all that is not set": {
			"provider entra {\nclient_id {env.NOT_SET_1}\nclient_secret {env.NOT_SET_2}\ntenant {env.NOT_SET_3}\n}\n",
			"tenant: environment variable not set or empty: NOT_SET_3; client_id: environment variable not set or empty: NOT_SET_1; client_secret: environment variable not set or empty: NOT_SET_2",
		},
		"a guild by its name": {
			"provider discord {\nclient_id x\nclient_secret {env.KEY_FILE}\nallow group Acme\n}\n", "a group of Discord is the id of a guild",
		},
		"roles of any tenant": {
			"provider entra {\nclient_id x\ntenant organizations\ngroups_claim roles\nallow group admin\n}\n", "name the tenants that may sign in",
		},
		"a claim of any tenant": {
			"provider entra {\nclient_id x\ntenant organizations\nclaims roles\nallow claim roles admin\n}\n", "claims roles: in any tenant",
		},
		"groups of an OpenID provider": {
			provider("a", "endpoints {\ngroups https://a.example.com/groups\n}"), "write groups_claim",
		},
		"no file of Apple's": {
			"provider apple {\nclient_id x\nteam_id T\nkey_id K\nkey_file {env.KEY_FILE}\nallow email a@example.com\n}\n", "key_file: open /nowhere/key.pem",
		},
		"own parameter": {provider("a", "auth_params state x"), "the parameter state is the protocol's own"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provision(t, config(t, t.TempDir(), tt.lines, "app.example.com {\n\tgatehouse\n}\n"))
			if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("loading: %v, want %q", err, tt.fault)
			}
		})
	}
}
