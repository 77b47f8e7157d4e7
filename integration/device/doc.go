// Package device tests sign-ins from a terminal (RFC 8628) with the built
// gateway and the built command gate: in a real terminal with a real browser,
// a thousand at once on two nodes, through the crash of Redis, and with
// whatever somebody may send instead.
package device
