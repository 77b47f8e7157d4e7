// Package postgrestest gives tests a real Postgres.
//
// [URL] returns the address of a fresh, empty database, which is emptied when
// the test ends. All tests of a test binary share one server, which the first
// of them starts, and which does not wait for the disk:
//
//	func TestSomething(t *testing.T) {
//		pool, err := pgxpool.New(ctx, postgrestest.URL(t))
//		…
//	}
//
// [Start] starts a server of the test's own, which may be killed and started
// again on the same port and data directory:
//
//	server := postgrestest.Start(t, postgrestest.Options{})
//	url := server.URL(t)
//	server.Kill(t)    // kill -9: whatever was not confirmed may be lost
//	server.Restart(t) // crash recovery, then ready again
//
// The binaries (initdb, postgres) are looked for in PATH and in
// /usr/lib/postgresql/*/bin, where Debian puts them; the newest version wins.
// Postgres refuses to run as root, so a test run by root starts it as the user
// postgres, or nobody. Servers listen on a loopback port only, let everybody
// in without a password, and end with the test binary, however that ends.
//
// When the environment variable TEST_DATABASE_URL is set, [URL] makes its
// databases on that server instead; its user must be allowed to create
// databases. Without binaries a test is skipped, or fails when the environment
// variable CI is set.
package postgrestest
