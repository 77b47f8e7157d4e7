package gateway

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// EnvRace names the environment variable that, when set, has the gateway built
// with the race detector. The first such build takes minutes.
const EnvRace = "GATEHOUSE_RACE"

// Tags are the build tags of every build of the gateway: they leave out the
// storage backends of Caddy's own certificate authority.
const Tags = "nobadger,nomysql,nopgx"

// Binary returns the path of the built gateway. It is built once for each test
// binary; the go command's cache makes all but the first build quick.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Build is [Binary] for programs that are no tests.
var Build = sync.OnceValues(func() (string, error) {
	name := "gatehouse-under-test"
	args := []string{"build", "-tags", Tags}
	if os.Getenv(EnvRace) != "" {
		name += "-race"
		args = append(args, "-race")
	}
	path := filepath.Join(Root(), "bin", name)
	build := exec.Command("go", append(args, "-o", path, "./cmd/gatehouse")...)
	build.Dir = Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return path, nil
})

// Root is the top folder of the repository, found from the working directory,
// which is somewhere below it.
var Root = sync.OnceValue(func() string {
	folder, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "caddyfiles")); err == nil || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
})
