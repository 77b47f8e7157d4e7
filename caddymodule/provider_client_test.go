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
	t.Setenv("PLAIN", "http://keycloak:8080")
	t.Setenv("WITH_PASSWORD", "https://a:s3cr3t@keycloak:8443")
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
		"http":               {provider("a", "internal_url {env.PLAIN}"), "provider a: internal_url: http://keycloak:8080 must be an https URL; in a network that is yours alone, insecure_http allows http"},
		"http endpoint":      {provider("a", "endpoints {\ntoken {env.PLAIN}\n}"), "provider a: endpoint token: http://keycloak:8080 must be"},
		"a password":         {provider("a", "endpoints {\ntoken {env.WITH_PASSWORD}\n}"), "endpoint token: it has a user name or password in front of @"},
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
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error repeats a password: %v", err)
			}
		})
	}
}

// What an address of a provider cannot be is told with its line, as of an issuer. Those
// in a network of the operator's own, or on this machine, are as they want them.
func TestProvider_AddressesAreCheckedWhereTheyAreWritten(t *testing.T) {
	for lines, fault := range map[string]string{
		"issuer https://sso.example.com":                                   "",
		"issuer http://sso.example.com":                                    "issuer: http://sso.example.com must be an https URL; in a network that is yours alone, insecure_http allows http, at Caddyfile:4",
		"issuer http://sso.example.com\ninsecure_http":                     "",
		"issuer http://127.0.0.1:8080":                                     "",
		"issuer HTTPS://sso.example.com/x":                                 "write https://sso.example.com/x, at Caddyfile:4",
		"internal_url https://10.0.0.5:8443":                               "",
		"internal_url https://[fd00::1]/":                                  "",
		"internal_url http://localhost:8080":                               "",
		"internal_url http://keycloak:8080\ninsecure_http":                 "",
		"internal_url http://keycloak:8080":                                "internal_url: http://keycloak:8080 must be an https URL; in a network that is yours alone, insecure_http allows http, at Caddyfile:6",
		"internal_url HTTPS://keycloak:8443":                               "internal_url: HTTPS://keycloak:8443 has capital letters in its scheme; write https://keycloak:8443, at Caddyfile:6",
		"internal_url https://keycloak:8443/auth":                          "write scheme, host and port alone, at Caddyfile:6",
		"internal_url https://keycloak:8443?":                              "write scheme, host and port alone, at Caddyfile:6",
		"internal_url https://a:s3cr3t@keycloak":                           "internal_url: it has a user name or password in front of @; the client is authenticated by client_id and client_secret, at Caddyfile:6",
		"internal_url keycloak:8443":                                       "internal_url: it is not a URL such as https://sso.example.com/token, at Caddyfile:6",
		"internal_url {env.INTERNAL}":                                      "",
		"endpoints {\n\ttoken https://10.0.0.5/token?x=y\n}":               "",
		"endpoints {\n\ttoken https://sso.example.com/token#x\n}":          "endpoint token: https://sso.example.com/token#x has a fragment; leave out what begins at #, at Caddyfile:7",
		"endpoints {\n\ttoken https://a@sso.example.com/token\n}":          "endpoint token: it has a user name or password in front of @",
		"endpoints {\n\tjwks Http://sso.example.com/keys\n}":               "write http://sso.example.com/keys, at Caddyfile:7",
		"endpoints {\n\tjwks http://sso.example.com/keys\n}":               "endpoint jwks: http://sso.example.com/keys must be an https URL; in a network that is yours alone, insecure_http allows http, at Caddyfile:7",
		"endpoints {\n\tuserinfo /userinfo\n}":                             "endpoint userinfo: it is not a URL",
		"endpoints {\n\tend_session https://sso.example.com./logout\n}":    "its host ends in a dot; leave the dot out, at Caddyfile:7",
		"endpoints {\n\tauthorization javascript:alert(1)\n}":              "endpoint authorization: it is not a URL",
		"endpoints {\n\trevocation {env.REVOCATION}\n}\ninsecure_http":     "",
		"endpoints {\n\tpushed_authorization https://sso.example.com/p\n}": "",
	} {
		issuer, rest, _ := strings.Cut(lines, "\n")
		issuer, ok := strings.CutPrefix(issuer, "issuer ")
		if !ok {
			issuer, rest = "https://sso.example.com", lines
		}
		_, err := adapt("{\n\tadmin off\n\tgatehouse {\n\t\tprovider a oidc " + issuer + " {\n\t\t\tclient_id x\n" + rest + "\n}\n}\n}\napp.example.com {\n\tgatehouse\n}\n")
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("%s: %v, want %q", lines, err, fault)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
}
