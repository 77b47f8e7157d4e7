package mcp_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// world is caddyfiles/mcp.Caddyfile as it stands, but for its ports, before the official
// SDK's example server.
type world struct {
	node    *gateway.Node
	folder  string // of the clients
	url     string // of the server, behind the guard
	backend string // the server itself
	token   string // the last that a client of ours was given
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{folder: modules(t)}
	text, err := os.ReadFile(filepath.Join("..", "..", "caddyfiles", "mcp.Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	caddyfile, ports := gateway.Move(t, string(text))
	w.url, w.backend = fmt.Sprintf("http://localhost:%d/mcp", ports[8080]), fmt.Sprintf("http://localhost:%d/mcp", ports[3000])
	server := exec.Command("node", "node_modules/sdk-1.32/dist/esm/examples/server/simpleStreamableHttp.js")
	server.Dir = w.folder
	server.Env = append(os.Environ(), fmt.Sprintf("MCP_PORT=%d", ports[3000]))
	said, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = said, said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if raw, err := os.ReadFile(said.Name()); t.Failed() && err == nil {
			t.Logf("the server says:\n%s", raw)
		}
	})
	w.node = gateway.Start(t, gateway.Options{Caddyfile: caddyfile})
	awaitServer(t, w.backend)
	return w
}

// awaitServer waits until something answers.
func awaitServer(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(address)
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", address, err)
		}
	}
}

func (w *world) browser(t *testing.T) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{Route: w.node.Route, Learn: w.node.Secrets.Learn})
}

// signIn opens an address, does what alice is asked for on the way, and returns what
// comes in the end.
func signIn(b *browser.Browser, address string) *browser.Page {
	page := b.Open(address)
	for range 3 {
		switch {
		case has(page, "password"):
			page = b.Submit(page, b.Find(page, "password"), map[string]string{"username": "alice", "password": "wonderland"})
		case has(page, "request") && strings.HasSuffix(b.Find(page, "request").Action.Path, "/consent"):
			page = b.Submit(page, b.Find(page, "request"), map[string]string{"decision": "approve"})
		default:
			return page
		}
	}
	return page
}

// has reports whether a page has a form with a field.
func has(page *browser.Page, field string) bool {
	for _, form := range page.Forms() {
		if slices.Contains(form.Fields, field) {
			return true
		}
	}
	return false
}

// program is a client that runs for a while.
type program struct {
	t     *testing.T
	input io.Writer
	lines chan string
	says  string // where its complaints are
}

// run starts a program of the clients' folder. Its lines are those of its output, and with
// complaints also those of its standard error.
func (w *world) run(t *testing.T, complaints bool, env []string, args ...string) *program {
	t.Helper()
	cmd := exec.Command("node", args...)
	cmd.Dir, cmd.Env = w.folder, append(os.Environ(), env...)
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, lines: make(chan string, 1000), says: stderr.Name()}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, stderr
	if complaints {
		cmd.Stderr = write
	}
	if p.input, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	go func() {
		defer close(p.lines)
		lines := bufio.NewScanner(read)
		for lines.Buffer(nil, 1<<20); lines.Scan(); {
			p.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if raw, err := os.ReadFile(p.says); t.Failed() && err == nil {
			t.Logf("%v complains:\n%s", args, raw)
		}
	})
	return p
}

func (p *program) tell(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// hear is the next line that begins so; what comes before is given to others, if any.
func (p *program) hear(begins string, others func(line string)) string {
	p.t.Helper()
	for timeout := time.After(2 * time.Minute); ; {
		select {
		case line, ok := <-p.lines:
			switch {
			case !ok:
				p.t.Fatalf("the program ended before it said %q", begins)
			case strings.HasPrefix(line, begins):
				return line
			case others != nil:
				others(line)
			}
		case <-timeout:
			p.t.Fatalf("the program does not say %q", begins)
		}
	}
}
