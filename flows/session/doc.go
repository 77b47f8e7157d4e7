// Package session keeps people signed in: it hands out session handles, knows
// who a handle belongs to, and stops knowing it when the session ends.
//
// [Manager] holds what it has seen in a bounded table in memory, so that a
// request whose session this node knows costs neither I/O nor a signature
// check. The table is only a cache of the token store and follows three rules:
//
//   - What was announced as revoked is gone at once, also from loads that
//     began before.
//   - Nothing is served for longer than Settings.Interval without asking the
//     store, as long as that answers. One query asks for all that is due.
//   - While the store does not answer, what is known is served until
//     Settings.ServeStale after it was last asked for, what is not known is
//     ErrUnavailable, and nobody is signed out.
package session
