package applications_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const gitBackend = "/usr/lib/git-core/git-http-backend"

// TestGit clones and pushes by HTTP, with git's own server. A git before 2.46 sends
// nothing but Basic credentials.
func TestGit(t *testing.T) {
	git := needs(t, "git", "git")
	needs(t, gitBackend, "git")
	folder := t.TempDir()
	run := func(token string, args ...string) (string, error) {
		// git asks this program for the name and the password.
		ask := filepath.Join(folder, "ask")
		if err := os.WriteFile(ask, []byte("#!/bin/sh\nprintf '%s' \"$TOKEN\"\n"), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		command := exec.Command(git, args...) //nolint:gosec // of the test's own making
		command.Dir = folder
		command.Env = append(os.Environ(), "HOME="+folder, "GIT_CONFIG_NOSYSTEM=1", "GIT_ASKPASS="+ask, "GIT_TERMINAL_PROMPT=0", "TOKEN="+token,
			"GIT_AUTHOR_NAME=Robot", "GIT_AUTHOR_EMAIL=robot@example.com", "GIT_COMMITTER_NAME=Robot", "GIT_COMMITTER_EMAIL=robot@example.com")
		output, err := command.CombinedOutput()
		return string(output), err
	}
	must := func(token string, args ...string) {
		t.Helper()
		if output, err := run(token, args...); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	must("", "init", "--bare", "served/code.git")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What comes in chunks has no length, which CGI wants to know.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		(&cgi.Handler{
			Path: gitBackend,
			Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Join(folder, "served"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + r.Header.Get("Remote-User")},
		}).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	w := start(t, server.URL, "basic_token")
	token := w.token(t)
	must(token, "clone", w.site+"/code.git", "work")
	// More than what git sends in one piece.
	if err := os.WriteFile(filepath.Join(folder, "work", "file"), []byte(strings.Repeat("0123456789abcdef\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	must("", "-C", "work", "add", "file")
	must("", "-C", "work", "commit", "-m", "A file")
	must(token, "-C", "work", "-c", "http.postBuffer=4096", "push", "origin", "HEAD")
	w.revoke(t, token)
	if output, err := run(token, "-C", "work", "fetch"); err == nil || !strings.Contains(output, "Authentication failed") {
		t.Errorf("with a token that was revoked: %v\n%s", err, output)
	}
	must(w.token(t), "clone", w.site+"/code.git", "again")
}
