package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Who sets an issuer and forgets its portal sends people to where nobody answers.
func TestDoctor_TellsOfAPortalElsewhere(t *testing.T) {
	const elsewhere = "no site here has gatehouse_portal"
	lines := "issuer https://auth.example.com\n" + aliceLocal
	for name, test := range map[string]struct {
		sites string
		want  bool
	}{
		"forgotten": {"https://app.example.com {\n\tgatehouse\n}\n", true},
		"misplaced": {"https://app.example.com {\n\tgatehouse\n}\nhttps://sso.example.com {\n\tgatehouse_portal\n}\n", true},
		"wildcard":  {"https://app.example.com {\n\tgatehouse\n}\nhttps://*.example.com {\n\tgatehouse_portal\n}\n", false},
		"any host":  {"https://app.example.com {\n\tgatehouse\n}\nhttps:// {\n\tgatehouse_portal\n}\n", false},
		"here":      {"https://app.example.com {\n\tgatehouse\n}\nhttps://auth.example.com {\n\tgatehouse_portal\n}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "caddy.json")
			if err := os.WriteFile(file, config(t, t.TempDir(), lines, test.sites), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, _, err := command("doctor", "--config", file)
			if err != nil || !strings.Contains(stdout, "status       ok") {
				t.Fatalf("doctor: %v\n%s", err, stdout)
			}
			if got := strings.Contains(stdout, elsewhere); got != test.want {
				t.Errorf("it says so: %t, want %t\n%s", got, test.want, stdout)
			}
		})
	}
}

// A file that is no token store is found before the start fails at it; one that
// the first start is to make is not made by the doctor.
func TestDoctor_LooksAtTheFile(t *testing.T) {
	dir := t.TempDir()
	wrong, fresh := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "fresh.db")
	if err := os.WriteFile(wrong, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{wrong: "status       degraded", fresh: "status       ok"} {
		file := filepath.Join(dir, "caddy.json")
		lines := "token_store sqlite " + path + "\n" + aliceLocal
		if err := os.WriteFile(file, config(t, dir, lines, "https://app.example.com {\n\tgatehouse\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, _, err := command("doctor", "--config", file)
		if !strings.Contains(stdout, want) || (err != nil) != (path == wrong) {
			t.Errorf("%s: %v\n%s", path, err, stdout)
		}
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("the doctor made a token store")
	}
}

// recorder is a logger for go-redis.
type recorder struct{ said []string }

func (r *recorder) Printf(_ context.Context, format string, v ...any) {
	r.said = append(r.said, fmt.Sprintf(format, v...))
}

// What is wrong with a cache is said once, in the doctor's own words.
func TestDoctor_SaysAloneWhatIsWrongWithRedis(t *testing.T) {
	said := new(recorder)
	goredis.SetLogger(said)
	t.Cleanup(logging.Enable)
	file := filepath.Join(t.TempDir(), "caddy.json")
	lines := "secret \"a secret that only tests know\"\ncache redis redis://127.0.0.1:1/0\n" + aliceLocal
	if err := os.WriteFile(file, config(t, t.TempDir(), lines, "https://app.example.com {\n\tgatehouse\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, err := command("doctor", "--config", file)
	if !errors.Is(err, errDegraded) || !strings.Contains(stdout, "cache is unavailable") {
		t.Errorf("doctor: %v\n%s", err, stdout)
	}
	if len(said.said) > 0 {
		t.Errorf("go-redis says beside it: %s", said.said)
	}
}

// The doctor asks the providers, and says what is to be registered there.
func TestDoctor_AsksTheProviders(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[1]s/auth","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys","end_session_endpoint":"%[1]s/bye"}`, server.URL)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if _, secret, _ := r.BasicAuth(); secret != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?error=login_required", http.StatusFound)
	})
	for secret, want := range map[string][]string{
		"right": {
			"status       ok", "provider     sso (" + server.URL + "): ok",
			"register the redirect URI https://app.example.com/.gatehouse/callback/sso",
			"register the post-logout redirect URI https://app.example.com/.gatehouse/logout",
			"back-channel logout URI (optional): https://app.example.com/.gatehouse/backchannel_logout/sso",
		},
		"wrong": {"status       degraded", "check client_id, client_secret and client_auth"},
	} {
		t.Setenv("SSO_SECRET", secret)
		file := filepath.Join(t.TempDir(), "caddy.json")
		lines := "provider sso oidc " + server.URL + " {\n\tclient_id x\n\tclient_secret {env.SSO_SECRET}\n\tsign_out\n}\n"
		if err := os.WriteFile(file, config(t, t.TempDir(), lines, "https://app.example.com {\n\tgatehouse\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, _, err := command("doctor", "--config", file)
		if (err == nil) != (secret == "right") {
			t.Errorf("%s: %v", secret, err)
		}
		for _, part := range want {
			if !strings.Contains(stdout, part) {
				t.Errorf("%s: doctor does not say %q:\n%s", secret, part, stdout)
			}
		}
	}
}
