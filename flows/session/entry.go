package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

type sessionID = uuid.UUID

// useGrain is how exactly the last use is kept. A coarser grain keeps parallel
// requests of one session from writing to one cache line.
const useGrain = time.Second

// entry is one session that this node knows. It holds hashes of the handle,
// never the handle. Times are on [Manager.clock].
type entry struct {
	id     sessionID
	secret [sha256.Size]byte                 // as the row holds it
	digest atomic.Pointer[[sha256.Size]byte] // of the handle that was verified last
	who    atomic.Pointer[identity.Identity] // shared with requests, never changed
	signed *identity.Claims                  // as they were at the sign-in
	stamp  tokenstore.ClaimsStamp            // of the row's claims, as they were loaded
	// adopted is the fingerprint of the credential that a session of before there
	// were any was given here.
	adopted atomic.Pointer[string]
	idle    time.Duration

	epoch   atomic.Uint64 // of the manager when the last check began
	checked atomic.Int64  // when the last check began
	ends    atomic.Int64  // idle or absolute end, as of that check
	sure    atomic.Int64  // the same, but well before an idle end
	expires atomic.Int64  // absolute end
	seen    atomic.Int64  // the use that the row knows of
	used    atomic.Int64  // the last use here
	asked   atomic.Int64  // the last use that waits for a check
	gone    atomic.Int32  // why it left the table (an ending), or dropped; 0: it is there
	pinned  atomic.Bool   // somebody watches it: not to be evicted
}

// dropped is an entry that was taken out of the table to be looked at again.
const dropped ending = -1

// provenBy tells, in constant time, whether the handle of this digest is the
// one that was verified before.
func (e *entry) provenBy(digest *[sha256.Size]byte) bool {
	known := e.digest.Load()
	return known != nil && subtle.ConstantTimeCompare(known[:], digest[:]) == 1
}

// hasSecret compares the hash of a presented secret with the row's, in
// constant time.
func (e *entry) hasSecret(hash []byte) bool {
	return subtle.ConstantTimeCompare(e.secret[:], hash) == 1
}

// fresh reports whether the entry may be served without asking the store.
func (e *entry) fresh(now, interval time.Duration, epoch uint64) bool {
	return e.gone.Load() == 0 && e.epoch.Load() == epoch &&
		now-time.Duration(e.checked.Load()) < interval && int64(now) < e.sure.Load()
}

// due reports whether the background should check the entry: in good time before
// a request would have to.
func (e *entry) due(now, interval time.Duration, epoch uint64) bool {
	return e.epoch.Load() != epoch || now-time.Duration(e.checked.Load()) >= interval/2 ||
		int64(now) >= e.sure.Load() || e.touchDue()
}

// setEnds notes when the session ends. A use shortly before it would go idle
// must be in the row in time, so from then on requests wait until it is.
func (e *entry) setEnds(ends, expires int64) {
	e.expires.Store(expires)
	e.ends.Store(ends)
	if ends < expires {
		ends -= int64(min(e.idle/10, 2*longestPace))
	}
	e.sure.Store(ends)
}

// idleAway reports whether the session has been idle for too long, as far as is
// known here. Use that the store could not be told of counts.
func (e *entry) idleAway(now time.Duration) bool {
	return int64(now) >= e.ends.Load() && int64(now) >= e.used.Load()+int64(e.idle)
}

// use records a use.
func (e *entry) use(now time.Duration) {
	if int64(now)-e.used.Load() >= int64(useGrain) {
		e.used.Store(int64(now))
	}
}

// touchDue reports whether the row should learn of the last use: when what it
// knows is older by a tenth of the idle time, or an hour.
func (e *entry) touchDue() bool {
	return max(e.used.Load(), e.asked.Load())-e.seen.Load() >= int64(min(e.idle/10, time.Hour))
}

// leave marks that the entry is taken out of the table. The first reason
// stands.
func (e *entry) leave(why ending) { e.gone.CompareAndSwap(0, int32(why)) }

// verdict is why an entry that left the table cannot be served, or nil. What
// holds for a moment only may be over: it is looked up once more.
func (e *entry) verdict() error {
	switch why := ending(e.gone.Load()); {
	case why == 0:
		return nil
	case why == dropped, why.momentary():
		return errLookAgain
	default:
		return why.err()
	}
}
