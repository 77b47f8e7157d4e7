package clients_test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestAuthlib runs Debian's python3-authlib, by a secret and by a key, whose assertions
// can only name the token endpoint.
func TestAuthlib(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import authlib, requests").Run(); err != nil {
		missing(t, "apt-get install python3-authlib python3-requests")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := jose.JSONWebKey{Key: key, KeyID: "one", Algorithm: "RS256", Use: "sig"}
	folder := t.TempDir()
	files := map[string]any{"private.json": private, "jwks.json": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}}}
	for name, content := range files {
		raw, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const more = "scopes openid profile email offline_access"
	keyed := strings.Replace(block("authlib_key", "http://127.0.0.1/callback", more, "assertion_audience token_endpoint"),
		"secret "+secret, "jwks "+filepath.Join(folder, "jwks.json"), 1)
	w := start(t, block("authlib", "http://127.0.0.1/callback", more), keyed)
	script := exec.CommandContext(t.Context(), "/usr/bin/python3", "py/authlib_client.py")
	script.Env = append(os.Environ(), "ISSUER="+w.issuer, "SECRET="+secret, "KEY="+filepath.Join(folder, "private.json"))
	var complaints strings.Builder
	script.Stderr = &complaints
	answers, err := script.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	b, done := w.browser(t), false
	b.StopAt("/callback")
	for lines := bufio.NewScanner(said); lines.Scan(); {
		switch what, rest, _ := strings.Cut(lines.Text(), " "); what {
		case "visit":
			page := signIn(b, rest)
			if page.Next() == nil {
				t.Errorf("the browser is sent nowhere:\n%s%s", page.Path(), page.Text())
				_ = answers.Close()
				continue
			}
			_, _ = io.WriteString(answers, page.Next().String()+"\n")
		case "learn":
			w.node.Secrets.Learn("refresh token", rest)
		case "done":
			done = true
		}
	}
	if err := script.Wait(); err != nil || !done {
		t.Errorf("the script ended with %v:\n%s", err, complaints.String())
	}
}
