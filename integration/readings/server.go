package readings

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// Server is a real server. Its answers say in lines "path=" and "action=" what
// it read.
type Server struct {
	Name, Addr string
}

// Start starts the servers, which end with the test.
func Start(t testing.TB) []Server {
	t.Helper()
	return []Server{StartNginx(t), StartNode(t), StartFlask(t), StartHypercorn(t), StartGo(t)}
}

// StartNginx starts nginx, which decodes a path, merges its slashes and resolves
// its dots.
func StartNginx(t testing.TB) Server {
	t.Helper()
	addr, folder := address(t), t.TempDir()
	config, err := os.ReadFile(source("nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "nginx.conf")
	text := strings.NewReplacer("FOLDER", folder, "ADDRESS", addr).Replace(string(config))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return process(t, "nginx", addr, "nginx", "-p", folder, "-c", file)
}

// StartNode starts Node.js, whose new URL follows WHATWG's standard.
func StartNode(t testing.TB) Server {
	t.Helper()
	addr := address(t)
	return process(t, "node", addr, "node", source("app.js"), addr)
}

// StartFlask starts gunicorn with Flask.
func StartFlask(t testing.TB) Server {
	t.Helper()
	addr := address(t)
	return process(t, "flask", addr, "gunicorn", "--chdir", source(""), "--bind", addr, "--workers", "1", "--threads", "4",
		"--worker-tmp-dir", t.TempDir(), "flask_app:app")
}

// StartHypercorn starts Hypercorn, which takes h2c unless told otherwise.
func StartHypercorn(t testing.TB) Server {
	t.Helper()
	addr := address(t)
	return process(t, "hypercorn", addr, "hypercorn", "--bind", addr, source("asgi_app.py")+":app")
}

// StartGo starts a server of net/http, which only decodes.
func StartGo(t testing.TB) Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "path=%s\n", r.URL.Path)
		for _, action := range r.URL.Query()["action"] {
			_, _ = fmt.Fprintf(w, "action=%s\n", action)
		}
	}))
	t.Cleanup(server.Close)
	return Server{"go", server.Listener.Addr().String()}
}

func address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(gateway.FreePort(t)))
}

func source(name string) string {
	return filepath.Join(gateway.Root(), "integration", "readings", "servers", name)
}

// leash runs a program in the background and ends its whole group when standard
// input does: at the end of the test, or of the test binary, however that ended.
const leash = `"$@" </dev/null & read -r _; kill -9 0`

func process(t testing.TB, name, addr string, command ...string) Server {
	t.Helper()
	log := &gateway.Log{}
	cmd := exec.Command("/bin/sh", append([]string{"-c", leash, "sh"}, command...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PATH="+os.Getenv("PATH")+":/usr/sbin")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = hold.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, log.Text())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return Server{name, addr}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v\n%s", name, err, log.Text())
		}
	}
}
