// Package redistest runs real Redis servers for tests: one server, a cluster
// of three, or a master with a replica and Sentinels. Each is a child process
// on free loopback ports with its files in a temporary folder; it ends with
// the test, and with the test binary if that is killed (on Linux).
//
// A test that only needs a Redis takes [URL]:
//
//	store, err := redis.New(redis.Options{URL: redistest.URL(t)})
//
// One that breaks things takes the server itself:
//
//	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
//	server.Kill(t)    // kill -9
//	server.Restart(t) // same port, same files
//
// Where no redis-server is installed tests are skipped; they fail instead when
// the environment variable CI is set, so that nothing is skipped unnoticed
// there. REDIS_SERVER names the program to run, by default redis-server; it
// must be Redis 7 or newer, or compatible.
package redistest
