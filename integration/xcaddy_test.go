package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const (
	modulePath   = "github.com/gatehouse-auth/gatehouse"
	caddyVersion = "v2.11.9"
	// commandXcaddy is README's line.
	commandXcaddy = "xcaddy build --with github.com/gatehouse-auth/gatehouse"
)

// TestXcaddy_BuildsCaddyWithThisModule publishes the last commit to a module
// proxy made of files, and types README's line.
func TestXcaddy_BuildsCaddyWithThisModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another Caddy")
	}
	folder := t.TempDir()
	goCommand(t, gateway.Root()+"/integration", "build", "-o", filepath.Join(folder, "xcaddy"), "github.com/caddyserver/xcaddy/cmd/xcaddy")

	args := append(strings.Fields(commandXcaddy)[1:], "--output", filepath.Join(folder, "caddy"))
	build := exec.CommandContext(t.Context(), filepath.Join(folder, "xcaddy"), args...)
	build.Dir = folder
	build.Env = append(os.Environ(),
		"CADDY_VERSION="+caddyVersion,
		"CGO_ENABLED="+strings.TrimSpace(goCommand(t, folder, "env", "CGO_ENABLED")),
		"GOPROXY=file://"+publish(t)+","+strings.TrimSpace(goCommand(t, folder, "env", "GOPROXY")),
		"GONOSUMDB="+modulePath,
		"GOFLAGS=-modcacherw",
		// As elsewhere, so that what is built already need not be again.
		"XCADDY_GO_BUILD_FLAGS=-tags="+gateway.Tags,
	)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commandXcaddy, err, out)
	}
	list, err := exec.CommandContext(t.Context(), filepath.Join(folder, "caddy"), "list-modules").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gatehouse", "http.handlers.gatehouse", "http.handlers.gatehouse_portal", "gatehouse.providers.oidc"} {
		if !strings.Contains("\n"+string(list), "\n"+want+"\n") {
			t.Errorf("the built Caddy has no module %s:\n%s", want, list)
		}
	}
}

// publish makes a module proxy of files with the last commit as a version of
// its own, and takes that out of the module cache when the test ends.
func publish(t *testing.T) string {
	t.Helper()
	version := fmt.Sprintf("v0.1.%d", time.Now().Unix())
	cache := strings.TrimSpace(goCommand(t, gateway.Root(), "env", "GOMODCACHE"))
	t.Cleanup(func() {
		_ = os.RemoveAll(filepath.Join(cache, filepath.FromSlash(modulePath)+"@"+version))
		kept, _ := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(modulePath), "@v", version+".*"))
		for _, file := range kept {
			_ = os.Remove(file)
		}
	})
	proxy := t.TempDir()
	versions := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	if err := os.MkdirAll(versions, 0o750); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(gateway.Root(), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": `{"Version":"` + version + `","Time":"` + time.Now().UTC().Format(time.RFC3339) + `"}`,
		version + ".mod":  string(mod),
	} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	if err := zip.CreateFromVCS(archive, module.Version{Path: modulePath, Version: version}, gateway.Root(), "HEAD", ""); err != nil {
		t.Fatalf("packing the module: %v", err)
	}
	return proxy
}

func goCommand(t *testing.T, folder string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}
