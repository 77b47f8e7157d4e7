package keyring_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Labels that begin with "x-" are for programs that embed the packages.
func TestLabels_LeaveOthersTheirs(t *testing.T) {
	ours := regexp.MustCompile(`(?:Seal|SealString|Open|OpenString|MAC|MACs|VerifyMAC)\("x-`)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && ours.Match(text) {
			t.Errorf("%s uses a label of other programs", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
