// Package cache is Gatehouse's short-lived state: flows on their way from
// PENDING to DONE, throttles, replay guards, and the announcements by which
// nodes tell each other of revocations.
//
// [Store] is the contract. Its implementations are in cache/redis and
// cache/memory; cache/cachetest is the suite that every implementation passes,
// third parties' included.
//
// A cache never sees a secret: values arrive sealed, and what must be compared
// arrives as a SHA-256 sum or a MAC.
package cache
