// Package readings asks real servers how they read a request, and sends the same
// through a guard: what any of them takes for a guarded path must not be reached
// by anybody who is not signed in, neither by its spelling nor by an upgrade.
package readings
