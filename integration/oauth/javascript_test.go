package oauth_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// jsClients are the clients of the scripts in js: one for each way of
// authenticating, and a device.
func jsClients(jwks string) string {
	const more = `
		redirect_uri http://127.0.0.1/callback
		post_logout_redirect_uri http://127.0.0.1:1/goodbye
		scopes openid profile email groups offline_access
	}
`
	return webClient + `
	client keyed {
		jwks ` + jwks + `
		resources ` + guardedSite + `
		id_token_signing_alg EdDSA` + more + `
	client spa {
		public
		first_party
		require par dpop` + more + `
	client wiki {
		public
		first_party
		refresh_tokens session
		redirect_uri http://127.0.0.1/callback
		post_logout_redirect_uri http://127.0.0.1:1/goodbye
		scopes openid profile email groups
	}
	client cli {
		public
		grants device_code refresh_token
		scopes openid offline_access
	}
`
}

// modules installs the scripts and what they import into a folder, once; TestMain
// removes it.
var modules = sync.OnceValues(func() (string, error) {
	folder := modulesFolder()
	if err := os.CopyFS(folder, os.DirFS("js")); err != nil {
		return folder, err
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		return folder, fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return folder, nil
})

// modulesFolder is this process's.
func modulesFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("oauth-js-%d", os.Getpid()))
}

// installed is a file of a package that the scripts import.
func installed(t *testing.T, path ...string) string {
	t.Helper()
	folder, err := modules()
	if err != nil {
		missing(t, err.Error())
	}
	return filepath.Join(append([]string{folder, "node_modules"}, path...)...)
}

// nodeArgs are what this machine's Node needs to have the global crypto.
func nodeArgs(t *testing.T) []string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "the tests with JavaScript clients need "+program+": apt-get install nodejs npm")
		}
	}
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
	if version, err := strconv.Atoi(major); err == nil && version < 20 {
		return []string{"--experimental-global-webcrypto"}
	}
	return nil
}

// missing skips a test on a machine that lacks something, but not where the
// whole suite is to run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// writeKey makes the key of the client "keyed" and returns the files of its
// public and private half.
func writeKey(t *testing.T) (public, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	folder := t.TempDir()
	public, private = filepath.Join(folder, "jwks.json"), filepath.Join(folder, "private.json")
	for path, v := range map[string]any{public: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}, private: jwk} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return public, private
}

func TestJavaScript(t *testing.T) {
	t.Parallel()
	args := nodeArgs(t)
	folder, err := modules()
	if err != nil {
		missing(t, err.Error())
	}
	public, private := writeKey(t)
	for _, script := range []string{"openid-client.mjs", "oauth4webapi.mjs"} {
		t.Run(script, func(t *testing.T) {
			w := start(t, "https", jsClients(public))
			node := exec.CommandContext(t.Context(), "node", append(args, script)...)
			node.Dir = folder
			node.Env = append(os.Environ(),
				"ISSUER="+w.issuer, "API="+w.api, "SECRET="+webSecret, "KEY="+private,
				"NODE_EXTRA_CA_CERTS="+filepath.Join(w.node.Folder, "data", "caddy", "pki", "authorities", "local", "root.crt"))
			w.converse(t, node)
		})
	}
}

// converse runs a script and does for it what it asks of a person.
func (w *world) converse(t *testing.T, script *exec.Cmd) {
	t.Helper()
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
	alice, done := w.alice(t), false
	for lines := bufio.NewScanner(said); lines.Scan(); {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "step":
			t.Log(rest)
		case "done":
			done = true
		case "visit":
			_, err = io.WriteString(answers, alice.redirected(rest).String()+"\n")
		case "approve":
			alice.approve(rest)
			_, err = io.WriteString(answers, "approved\n")
		case "signout":
			_, err = io.WriteString(answers, alice.signOut(rest).String()+"\n")
		default:
			t.Errorf("the script says %q", lines.Text())
		}
		if err != nil {
			t.Errorf("answering the script: %v", err)
		}
	}
	if err := script.Wait(); err != nil || !done {
		t.Errorf("the script ended with %v:\n%s", err, complaints.String())
	}
}
