package clients_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
)

// installed installs the applications in js and what they import into a folder, once;
// TestMain removes it.
var installed = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // once in a process
	folder := modulesFolder()
	if err := os.CopyFS(folder, os.DirFS("js")); err != nil {
		return folder, err
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", "--prefer-offline")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		return folder, fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return folder, nil
})

// modulesFolder is this process's.
func modulesFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("clients-js-%d", os.Getpid()))
}

// modules is the folder of the applications in JavaScript.
func modules(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "the applications in JavaScript need "+program+": apt-get install nodejs npm")
		}
	}
	folder, err := installed()
	if err != nil {
		missing(t, err.Error())
	}
	return folder
}

// webApps are the applications of apps.mjs, by client id.
var webApps = []string{"openidclient5", "expressoidc", "passportoidc", "authcore"}

// startApps runs them for a gateway that knows them, and returns their origins.
func startApps(t *testing.T, folder string) (w *world, at map[string]string) {
	t.Helper()
	at = map[string]string{}
	blocks, env := []string{}, []string{"SECRET=" + secret}
	for _, id := range webApps {
		at[id] = origin(t)
		callback := "/callback"
		if id == "authcore" {
			callback = "/auth/callback/gatehouse"
		}
		blocks = append(blocks, block(id, at[id]+callback, "post_logout_redirect_uri "+at[id]))
		env = append(env, strings.ToUpper(id)+"="+at[id][strings.LastIndexByte(at[id], ':')+1:])
	}
	w = start(t, blocks...)
	apps := exec.Command("node", "apps.mjs")
	apps.Dir = folder
	apps.Env = append(append(os.Environ(), env...), "ISSUER="+w.issuer)
	complaints, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	apps.Stderr = complaints
	said, err := apps.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := apps.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = apps.Process.Kill()
		_ = apps.Wait()
		if raw, err := os.ReadFile(complaints.Name()); t.Failed() && err == nil {
			t.Logf("the applications say:\n%s", raw)
		}
	})
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if lines.Text() == "ready" {
			return w, at
		}
	}
	t.Fatal("the applications did not start")
	return nil, nil
}

// TestWebApps: https://github.com/karakeep-app/karakeep/issues/1524, and all that begin
// with what OpenID Connect Registration has clients expect: each signs alice in by the
// default block of a client, and out where the library can.
func TestWebApps(t *testing.T) {
	w, at := startApps(t, modules(t))
	for _, id := range webApps {
		t.Run(id, func(t *testing.T) {
			b := w.browser(t)
			page := signIn(b, at[id]+"/me")
			if id == "authcore" && !strings.Contains(page.Text(), "alice@example.com") {
				signIn(b, at[id]+"/auth/signin")
				page = b.Open(at[id] + "/auth/session")
			}
			if page.Status != http.StatusOK || !strings.HasPrefix(page.URL.String(), at[id]) || !strings.Contains(page.Body, "alice@example.com") {
				t.Fatalf("the application answers %d at %s:\n%s%s", page.Status, page.URL, page.Path(), page.Text())
			}
			if id != "openidclient5" && id != "expressoidc" {
				return
			}
			page = signOut(b, at[id]+"/logout")
			if again := b.Open(at[id] + "/me"); !has(again, "password") {
				t.Errorf("after a sign-out, which ended at %s, nobody is asked:\n%s%s", page.URL, again.Path(), again.Text())
			}
		})
	}
}

// signOut opens an application's sign-out, and confirms where that is asked.
func signOut(b *browser.Browser, address string) *browser.Page {
	page := b.Open(address)
	if forms := page.Forms(); len(forms) == 1 && strings.HasSuffix(forms[0].Action.Path, "/logout") {
		page = b.Submit(page, forms[0], nil)
	}
	return page
}
