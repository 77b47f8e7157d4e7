package gateway

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BinaryOf returns the path of the gateway as a former commit of this repository
// has it. It is built once, from the repository's history, and kept in bin/.
func BinaryOf(t testing.TB, commit string) string {
	t.Helper()
	path, err := BuildOf(commit)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// BuildOf is [BinaryOf] for programs that are no tests.
func BuildOf(commit string) (string, error) {
	path := filepath.Join(Root(), "bin", "gatehouse-"+commit)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	source, err := os.MkdirTemp("", "gatehouse-"+commit)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(source) }()
	if err := export(commit, source); err != nil {
		return "", err
	}
	// Under another name until it is whole: two test binaries may build at once.
	unfinished := fmt.Sprintf("%s.%d", path, os.Getpid())
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", Tags, "-o", unfinished, "./cmd/gatehouse")
	build.Dir = source
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway of commit %s: %w\n%s", commit, err, out)
	}
	return path, os.Rename(unfinished, path)
}

// export writes the files of a commit into a folder.
func export(commit, folder string) error {
	var archive, said bytes.Buffer
	git := exec.Command("git", "archive", "--format=tar", commit)
	git.Dir, git.Stdout, git.Stderr = Root(), &archive, &said
	if err := git.Run(); err != nil {
		return fmt.Errorf("the history of this clone lacks commit %s, whose gateway is needed to test upgrades; get it by: git fetch --unshallow (%w: %s)",
			commit, err, bytes.TrimSpace(said.Bytes()))
	}
	tar := exec.Command("tar", "-x", "-C", folder)
	tar.Stdin = &archive
	if out, err := tar.CombinedOutput(); err != nil {
		return fmt.Errorf("unpacking commit %s: %w\n%s", commit, err, out)
	}
	return nil
}
