package applications_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// installed installs the applications in JavaScript into a folder, once; TestMain
// removes it.
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
	return filepath.Join(os.TempDir(), fmt.Sprintf("applications-js-%d", os.Getpid()))
}

// script is a command that runs a program of the applications in JavaScript.
func script(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	node := needs(t, "node", "nodejs")
	needs(t, "npm", "npm")
	folder, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(node, append([]string{filepath.Join(folder, "node_modules", path)}, args...)...) //nolint:gosec // of the test's own making
	command.Dir = folder
	return command
}
