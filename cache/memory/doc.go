// Package memory is the [cache.Store] of a single gateway process: nothing to
// install, nothing shared, and everything forgotten when the process ends.
//
// Nothing live is ever evicted. What does not fit is refused with
// [cache.ErrFull]: flows under the caps, and the tables of aliases, counters
// and guards, which hold at most Caps.Global entries each. Tombstones of
// flows that expired unfinished are bounded by the same number (at
// least 1,000), the oldest going first, so that a flood of abandoned sign-ins cannot fill the memory;
// those of finished flows, which somebody signed in for, always stay for
// [cache.Retention].
package memory
