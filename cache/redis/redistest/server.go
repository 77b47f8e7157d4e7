package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// patience is how long anything here may take before the test fails.
const patience = 2 * time.Minute

// Server is one Redis process.
type Server struct {
	// Addr is its "127.0.0.1:port", the same after Restart.
	Addr string

	args []string
	dir  string
	log  *lockedBuffer
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// URL starts a server for this test alone and returns its redis:// address.
func URL(t testing.TB) string {
	t.Helper()
	return Start(t).URL()
}

// Start starts a server that keeps nothing on disk, unless args, which are
// redis-server's own ("--appendonly", "yes"), say otherwise. It ends with the
// test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, append([]string{"--save", "", "--appendonly", "no"}, args...))
}

// URL is the redis:// address of database 0.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Client returns a client of the server, closed with the test.
func (s *Server) Client(t testing.TB) *goredis.Client {
	t.Helper()
	return connect(t, s.Addr)
}

// Kill ends the process at once, as kill -9 does, and waits until it is gone.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	<-s.done
}

// Restart starts the server again after Kill, on the same port with the same
// files, and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.run(t)
}

// Freeze stops the process without closing its connections, as a machine that
// hangs does. Thaw lets it go on.
func (s *Server) Freeze(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

func start(t testing.TB, args []string) *Server {
	t.Helper()
	binary(t) // skip before anything is made
	s := &Server{Addr: "127.0.0.1:" + FreePort(t), dir: t.TempDir(), args: args, log: &lockedBuffer{}}
	t.Cleanup(s.end)
	s.run(t)
	return s
}

func (s *Server) run(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", s.dir}, s.args...)
	if len(s.args) > 0 && strings.HasSuffix(s.args[0], ".conf") {
		args = s.args // a Sentinel, which has all of it in its file
	}
	s.cmd = exec.Command(binary(t), args...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = endWithParent()
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("starting redis-server: %v", err)
	}
	done := make(chan struct{})
	s.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd)

	client := connect(t, s.Addr)
	own := fmt.Sprintf("process_id:%d\r\n", s.cmd.Process.Pid)
	wait(t, "redis-server to answer", func(ctx context.Context) bool {
		select {
		case <-done:
			t.Fatalf("redis-server ended:\n%s", s.log.String())
		default:
		}
		info, err := client.Info(ctx, "server").Result()
		return err == nil && strings.Contains(info, own) // nobody else took the port
	})
	_ = client.Close()
}

func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("sending %v to redis-server: %v", signal, err)
	}
}

func (s *Server) end() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

func binary(t testing.TB) string {
	t.Helper()
	name := os.Getenv("REDIS_SERVER")
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("finding the Redis server: %v", err)
	}
	if err != nil {
		t.Skipf("finding the Redis server: %v", err)
	}
	return path
}

func connect(t testing.TB, addr string) *goredis.Client {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{
		Addr: addr, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second,
		DisableIdentity: true, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// wait tries until ok, and fails the test when it takes too long.
func wait(t testing.TB, what string, ok func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// lockedBuffer collects what a server prints.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
