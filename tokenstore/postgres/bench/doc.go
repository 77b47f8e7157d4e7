// Package bench measures the Postgres store against the server's own pgbench,
// on a server that it starts with fsync on:
//
//	go test -run TestReport -v -count 1 -timeout 0 ./tokenstore/postgres/bench -args -rows 10000,10000000 -seconds 10
//
// For each number of rows it prints rotations per second and their times
// through the store and by a bare UPDATE of the same table (pgbench -M
// prepared, as many clients), taken in turns; WAL bytes and dead rows for each
// rotation; bytes for each session; and what it takes to remove a month of as
// many rows, with the rotations that go on meanwhile.
//
// Without -rows it does nothing.
package bench
