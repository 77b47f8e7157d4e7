package gatehouse_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMake_BenchAllRunsEveryBenchmark of this module, but for those that
// bench-store has.
func TestMake_BenchAllRunsEveryBenchmark(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "make", "--dry-run", "bench-all").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := 0
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == "integration" || path == filepath.Join("tokenstore", "postgres", "bench") || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go") || path == "make_test.go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("\nfunc Benchmark")) {
			return err
		}
		found++
		if folder := filepath.ToSlash(filepath.Dir(path)); !strings.Contains(string(out), "/"+folder+" ") && !strings.Contains(string(out), "/"+folder+"\n") {
			t.Errorf("make bench-all leaves out ./%s", folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 5 {
		t.Errorf("only %d files with benchmarks were found", found)
	}
}
