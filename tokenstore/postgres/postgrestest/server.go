package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds the start of a server, crash recovery included.
const startTimeout = 60 * time.Second

// Options for a server of a test's own.
type Options struct {
	// NoFsync turns off fsync, synchronous_commit and full_page_writes: quick,
	// and nothing survives a crash of the machine. A kill of the server alone
	// may lose confirmed commits too. Never in a test of durability.
	NoFsync bool
	// Settings are further lines for the server's command line, such as
	// "shared_buffers=1GB".
	Settings []string
}

// Server is a Postgres server that a test started. Its methods must not be
// called at the same time, except URL.
type Server struct {
	folder   string // holds the data directory and the log
	port     int
	binaries binaries
	settings []string

	watchdog *exec.Cmd
	leash    *os.File // closing it ends the server
}

// Start starts a server of the test's own, ended with the test. It skips the
// test when there are no binaries, and fails it under CI.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	server, err := start(o)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Postgres's log:\n%s", server.log())
		}
		server.stop()
	})
	return server
}

// URL returns the address of a fresh database on the server.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	return freshDatabase(t, s.adminURL())
}

// Port is the loopback port that the server listens on, now and after a
// restart.
func (s *Server) Port() int { return s.port }

// Kill ends the server and all of its processes at once, as a power cut would
// (kill -9). What it had not confirmed may be lost.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	pid, err := s.pid()
	if err != nil {
		t.Fatalf("killing Postgres: %v", err)
	}
	children := childrenOf(pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("killing Postgres: %v", err)
	}
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	s.release(keepFolder)
}

// ShutDown ends the server as its operator does, who does not wait for the
// clients: connections are ended, what they were at is rolled back. (The "fast"
// mode of pg_ctl.)
func (s *Server) ShutDown(t testing.TB) {
	t.Helper()
	pid, err := s.pid()
	if err != nil {
		t.Fatalf("shutting down Postgres: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatalf("shutting down Postgres: %v", err)
	}
	for deadline := time.Now().Add(startTimeout); !s.ended(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("Postgres does not shut down:\n%s", s.log())
		}
	}
	s.release(keepFolder)
}

// Restart starts a server that was killed or shut down again, on the same port and data directory,
// and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatalf("restarting Postgres: %v", err)
	}
}

func start(o Options) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "postgrestest-")
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, port: port, binaries: bin, settings: o.settings(port)}
	if err := s.create(); err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	if err := s.run(); err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return s, nil
}

func (o Options) settings(port int) []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(port),
		"unix_socket_directories=",
		"max_connections=200",
	}
	if o.NoFsync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	return append(settings, o.Settings...)
}

// create makes the data directory.
func (s *Server) create() error {
	if err := s.binaries.own(s.folder); err != nil {
		return fmt.Errorf("handing over the data directory: %w", err)
	}
	initdb := exec.Command(s.binaries.initdb, "-D", s.data(), "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir = s.folder
	initdb.SysProcAttr = s.binaries.attributes()
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("running initdb: %w\n%s", err, out)
	}
	return nil
}

// run starts the server and waits until it answers. A server that was killed
// may find its old shared memory still in use for a moment, and is then
// started once more.
func (s *Server) run() error {
	deadline := time.Now().Add(startTimeout)
	for {
		if err := s.launch(); err != nil {
			return err
		}
		err := s.awaitReady(deadline)
		if err == nil {
			return nil
		}
		s.release(keepFolder)
		if !errors.Is(err, errEnded) || time.Now().After(deadline) {
			return fmt.Errorf("%w\n%s", err, s.log())
		}
	}
}

var errEnded = errors.New("the server ended while it was starting")

func (s *Server) awaitReady(deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.adminURL())
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for Postgres: %w", err)
		}
		if s.ended() {
			return errEnded
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) adminURL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

func (s *Server) data() string    { return filepath.Join(s.folder, "data") }
func (s *Server) logFile() string { return filepath.Join(s.folder, "log") }

// log returns the end of the server's log.
func (s *Server) log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4096):])
}

// pid reads the id of the server's main process.
func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.folder, "pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
