// Package sqlite keeps Gatehouse's durable state in one SQLite file, for a
// gateway of a single node. It needs no other service and no C compiler.
//
// The file is in WAL mode with synchronous=FULL: a write that returned is on
// the disk. All writes go through one connection, each in a transaction of its
// own that takes the write lock at once; readers never wait for it. Times are
// unix microseconds of the process's clock, which is SQLite's own; ids are the
// sixteen bytes of the UUID.
package sqlite
