package postgrestest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// binaries are the programs of one installation, and who runs them.
type binaries struct {
	initdb, postgres string
	user             *syscall.Credential // nil: whoever runs the test
}

// Binary returns the path of another program of the installation, such as
// pgbench, and skips the test when it is not there.
func Binary(t testing.TB, name string) string {
	t.Helper()
	path, err := findBinary(name)
	if err != nil {
		t.Skipf("no %s: %v", name, err)
	}
	return path
}

func findBinaries() (binaries, error) {
	postgres, err := findBinary("postgres")
	if err != nil {
		return binaries{}, err
	}
	initdb := filepath.Join(filepath.Dir(postgres), "initdb")
	if _, err := os.Stat(initdb); err != nil {
		return binaries{}, fmt.Errorf("looking for initdb: %w", err)
	}
	unprivileged, err := unprivilegedUser()
	if err != nil {
		return binaries{}, err
	}
	return binaries{initdb: initdb, postgres: postgres, user: unprivileged}, nil
}

// findBinary looks in PATH and where Debian installs each version; the newest
// one is preferred there.
func findBinary(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		// In /usr/bin Debian has a wrapper that many names point to.
		if path, err = filepath.EvalSymlinks(path); err == nil && filepath.Base(path) == name {
			return path, nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	best, bestVersion := "", -1
	for _, path := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && version > bestVersion {
			best, bestVersion = path, version
		}
	}
	if best == "" {
		return "", fmt.Errorf("looking for %s: %w", name, exec.ErrNotFound)
	}
	return best, nil
}

// unprivilegedUser is who the server runs as when root runs the test, because
// Postgres refuses root.
func unprivilegedUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("running as root, and there is no user postgres or nobody")
}

// freePort picks a port below the range that the kernel gives to outgoing
// connections: there, a client that dials a killed server could take the port
// or even connect to itself.
func freePort() (int, error) {
	var lastErr error
	for range 100 {
		port := 16384 + rand.IntN(8192)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			lastErr = err
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("looking for a free port: %w", lastErr)
}
