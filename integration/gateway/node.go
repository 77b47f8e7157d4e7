package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startTimeout bounds a start: sites answer, or the process has ended.
const startTimeout = 60 * time.Second

const (
	// ready is what Caddy logs once all apps have started.
	ready = "serving initial configuration"
	// degraded is what the gateway logs before that when its store is slow to
	// come, and served when the store is there.
	degraded = "guarded sites answer 503 until it is"
	served   = "guarded sites are served now"
)

// Options of a gateway.
type Options struct {
	// Caddyfile is the configuration. Sites without a port in their address
	// listen on free ports; see [Node.Route].
	Caddyfile string
	// Env is added to a bare environment, "NAME=value". Values of names that
	// contain SECRET or PASSWORD count as secrets.
	Env []string
	// Secrets that are looked for in the log; nil: a fresh set. Nodes of one
	// cluster share them.
	Secrets *Secrets
	// Degraded says that the token store cannot be reached: the start is over
	// when other sites are served.
	Degraded bool
	// Folder for Caddy's data and configuration; "": one of the node's own.
	Folder string
	// Binary to run; "": the one of [Binary]. See [BinaryOf].
	Binary string
}

// Node is a running gateway. Its methods are for one goroutine, except those of
// its fields and Route.
type Node struct {
	Log     *Log
	Secrets *Secrets
	// HTTPPort and HTTPSPort are what Caddy's http_port and https_port are set
	// to.
	HTTPPort, HTTPSPort int
	// Folder holds Caddy's data, the configuration and the admin socket.
	Folder string

	binary  string
	env     []string
	process *exec.Cmd
	leash   *exec.Cmd
	hold    *os.File // closing it, or the end of the test binary, ends the process
	ended   chan struct{}
}

// Start starts a gateway, which ends with the test, and waits until it serves.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	n, err := start(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Refuse starts a gateway that is expected to refuse its configuration, and
// returns what it said.
func Refuse(t testing.TB, o Options) string {
	t.Helper()
	n, err := start(t, o)
	if err == nil {
		t.Fatalf("the gateway started:\n%s", n.Log.tail())
	}
	if !errors.Is(err, errEnded) {
		t.Fatal(err)
	}
	return n.Log.Text()
}

// Kill ends the process at once, as a crash would (kill -9).
func (n *Node) Kill(t testing.TB) {
	t.Helper()
	if err := n.process.Process.Kill(); err != nil {
		t.Fatalf("killing the gateway: %v", err)
	}
	n.release()
}

// Stop ends the process as a service manager would (SIGTERM), and waits.
func (n *Node) Stop(t testing.TB) {
	t.Helper()
	if err := n.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping the gateway: %v", err)
	}
	select {
	case <-n.ended:
	case <-time.After(startTimeout):
		t.Fatalf("the gateway did not stop:\n%s", n.Log.tail())
	}
	n.release()
}

// Restart starts an ended gateway again, with the same folder, ports and
// configuration.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	if err := n.run(); err != nil {
		t.Fatal(err)
	}
}

// PID is the process's id.
func (n *Node) PID() int { return n.process.Process.Pid }

// Route says where a browser that wants address ("host:port") is to connect:
// every name is this machine, and ports 80 and 443 are the node's own.
func (n *Node) Route(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch port {
	case "80":
		port = strconv.Itoa(n.HTTPPort)
	case "443":
		port = strconv.Itoa(n.HTTPSPort)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// RootCAs trusts the node's own certificate authority, if it has one yet.
func (n *Node) RootCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(n.Folder, "data", "caddy", "pki", "authorities", "local", "root.crt"))
	if err == nil {
		pool.AppendCertsFromPEM(text)
	}
	return pool
}

var errEnded = errors.New("the gateway has ended")

func start(t testing.TB, o Options) (*Node, error) {
	t.Helper()
	n := &Node{
		Log: &Log{}, Secrets: o.Secrets, Folder: o.Folder, binary: o.Binary,
		HTTPPort: FreePort(t), HTTPSPort: FreePort(t),
	}
	if n.binary == "" {
		n.binary = Binary(t)
	}
	if n.Secrets == nil {
		n.Secrets = &Secrets{}
	}
	if n.Folder == "" {
		// Not t.TempDir: its path is too long for a socket's.
		folder, err := os.MkdirTemp("", "gw")
		if err != nil {
			return n, err
		}
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		n.Folder = folder
	}
	n.env = n.environment(o.Env)
	if err := n.writeCaddyfile(o.Caddyfile); err != nil {
		return n, err
	}
	t.Cleanup(func() {
		n.end()
		n.Secrets.Check(t, n.Log.Text())
		if t.Failed() {
			t.Logf("the end of the gateway's log:\n%s", n.Log.tail())
		}
	})
	if err := n.run(); err != nil || o.Degraded || !strings.Contains(n.Log.Text(), degraded) {
		return n, err
	}
	n.Log.Await(t, 0, served, startTimeout)
	return n, nil
}

func (n *Node) environment(extra []string) []string {
	for _, pair := range extra {
		name, value, _ := strings.Cut(pair, "=")
		if strings.Contains(name, "SECRET") || strings.Contains(name, "PASSWORD") {
			n.Secrets.Learn(name, value)
		}
	}
	return append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + n.Folder,
		"XDG_DATA_HOME=" + filepath.Join(n.Folder, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(n.Folder, "config"),
		"CADDY_ADMIN=unix/" + n.socket(),
		"GORACE=halt_on_error=1",
	}, extra...)
}

func (n *Node) run() error {
	mark := n.Log.Mark()
	n.process = exec.Command(n.binary, "run", "--config", n.caddyfile(), "--adapter", "caddyfile")
	n.process.Dir = Root()
	n.process.Env = n.env
	n.process.Stdout, n.process.Stderr = n.Log, n.Log
	if err := n.process.Start(); err != nil {
		return fmt.Errorf("starting the gateway: %w", err)
	}
	n.ended = make(chan struct{})
	go func(process *exec.Cmd, ended chan<- struct{}) {
		_ = process.Wait()
		close(ended)
	}(n.process, n.ended)
	if err := n.tie(); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	go func() {
		select {
		case <-n.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if n.Log.await(ctx, mark, ready) {
		return nil
	}
	n.end()
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%w:\n%s", errEnded, n.Log.tail())
	}
	return fmt.Errorf("waiting for the gateway: %w\n%s", ctx.Err(), n.Log.tail())
}

// tie makes the process end when the test binary is gone, however that ended:
// a shell waits at a pipe whose other end only the test binary holds.
func (n *Node) tie() error {
	end, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = end.Close() }()
	n.hold = hold
	n.leash = exec.Command("/bin/sh", "-c", `read -r _; kill -9 "$0" 2>/dev/null`, strconv.Itoa(n.PID()))
	n.leash.Stdin = end
	return n.leash.Start()
}

// end kills the process if it still runs.
func (n *Node) end() {
	if n.process == nil || n.process.Process == nil {
		return
	}
	_ = n.process.Process.Kill()
	n.release()
}

// release waits for the process's end and lets go of what watched it.
func (n *Node) release() {
	<-n.ended
	if n.leash != nil {
		_ = n.leash.Process.Kill()
		_ = n.leash.Wait()
		_ = n.hold.Close()
		n.leash = nil
	}
}
