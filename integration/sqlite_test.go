package integration_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// envLock names a database that this test binary is to lock, in a process that
// does nothing else, until its input ends.
const envLock = "GATEHOUSE_TEST_LOCK"

// lockDatabase is what that process does.
func lockDatabase(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	if _, err := fmt.Println("locked"); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	_, err = db.Exec("ROLLBACK")
	return err
}

// database is where a gateway keeps its sessions by default.
func (f *faulty) database() string {
	return filepath.Join(f.node.Folder, "data", "caddy", "gatehouse", "gatehouse.db")
}

// awaitLog waits until the gateway has said why nothing was stored.
func (f *faulty) awaitLog(mark int, why string) {
	f.t.Helper()
	f.node.Log.Await(f.t, mark, why, 30*time.Second)
}

// lockFault is another process that holds the database for longer than the gateway
// waits, as a backup may.
type lockFault struct {
	process *exec.Cmd
	hold    io.Closer
	mark    int
}

func (l *lockFault) begin(f *faulty) {
	f.t.Helper()
	l.mark = f.node.Log.Mark()
	l.process = exec.CommandContext(f.t.Context(), os.Args[0])
	l.process.Env = append(os.Environ(), envLock+"="+f.database())
	l.process.Stderr = os.Stderr
	in, err := l.process.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	l.hold = in
	out, err := l.process.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := l.process.Start(); err != nil {
		f.t.Fatal(err)
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		f.t.Fatalf("locking the database: %q, %v", said, err)
	}
}

func (l *lockFault) end(f *faulty) {
	f.t.Helper()
	_ = l.hold.Close()
	if err := l.process.Wait(); err != nil {
		f.t.Fatalf("unlocking the database: %v", err)
	}
	f.awaitLog(l.mark, "database is locked")
}

// TestSQLiteLocked_WhoeverIsToldToTryAgainCan: another process has the file.
func TestSQLiteLocked_WhoeverIsToldToTryAgainCan(t *testing.T) {
	t.Parallel()
	for name, portal := range map[string]bool{"portal": true, "a site": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			startFaulty(t, portal, "token_store sqlite", nil).outlives(t, &lockFault{}, true)
		})
	}
}
