package postgrestest

import (
	"sync"
	"testing"
)

// reused are the databases of a server, which one test after the other has: to
// empty one takes a tenth of the time in which Postgres makes one.
type reused struct {
	server *Server
	mu     sync.Mutex
	idle   []string // addresses
}

// empty ends what a test left behind in a database: its connections, and with
// them their locks and settings, and all tables.
const empty = `
	SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid();
	DROP SCHEMA public CASCADE;
	CREATE SCHEMA public`

// url returns the address of an empty database, which is emptied again when the
// test ends.
func (r *reused) url(t testing.TB) string {
	t.Helper()
	address, err := r.take()
	if err != nil {
		t.Fatalf("creating a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(address, empty); err != nil {
			t.Logf("emptying the test database: %v", err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.idle = append(r.idle, address)
	})
	return address
}

// take takes a database that is idle, or makes one.
func (r *reused) take() (address string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.idle) - 1; last >= 0 {
		address, r.idle = r.idle[last], r.idle[:last]
		return address, nil
	}
	_, address, err = createDatabase(r.server.adminURL())
	return address, err
}
