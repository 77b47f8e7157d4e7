// Package upgrade tests that whoever upgrades loses nothing: today's gateway
// starts on the databases and Caddyfiles of an older one, an old and a new node
// run beside each other on one store, and the old one goes on alone when the new
// one is taken back.
//
// The old gateway is built from this repository's history. What it wrote is in
// testdata, for SQLite and Postgres, with the cookies and tokens that belong to
// it; of secrets there are only those of these tests. To have it written again,
// which is needed only for another commit:
//
//	go test ./upgrade -run TestWrite -args -write
package upgrade
