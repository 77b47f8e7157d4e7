// Package postgres keeps Gatehouse's durable state in PostgreSQL 14 or later,
// shared by any number of nodes.
//
// Sessions are partitioned by the month in their UUIDv7. A statement that
// knows the session's id names the month's table itself, not the partitioned
// one: the generic plan of a prepared UPDATE on a partitioned table locks
// every partition (before PostgreSQL 18), which costs more with each month and
// lets the rotation of one session wait for maintenance on a month that it has
// nothing to do with. A month that has no table of its own name falls back to
// the partitioned table.
//
// Tables live in the schema that the connection's search_path names first, so
// that a database can be shared by adding search_path to the address. The
// store takes session-level advisory locks for migration and maintenance, on
// connections of their own: a pooler in transaction mode in front of the
// database is not supported.
package postgres
