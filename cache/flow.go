package cache

import (
	"context"
	"time"
)

// State of a flow.
type State string

// A flow goes from PENDING (begun) by way of READY (somebody signed in or
// approved) to DONE (redeemed), or to ERROR (refused).
const (
	Pending State = "PENDING"
	Ready   State = "READY"
	Done    State = "DONE"
	Error   State = "ERROR"
)

// Sizes of what a flow holds, in bytes.
const (
	// MaxValue is the most that a flow's value, and its note, may have.
	MaxValue = 32 << 10
	// PlaceSize is how much of a value takes one place under the caps, so that they
	// bound bytes as well: a flow is counted once for each PlaceSize that it begins
	// with.
	PlaceSize = 2 << 10
	// MaxPlaces is how many places the largest flow takes.
	MaxPlaces = MaxValue / PlaceSize
)

// NewFlow is a flow to be started. All of it is one key of the cache.
type NewFlow struct {
	// Key is the kind and the flow's id, such as "code:0197…". At most 200
	// bytes of printable ASCII.
	Key string
	// State to start in: Pending, or Ready for one that needs no sign-in.
	State State
	// Value is sealed by the caller.
	Value []byte
	// Proof is what a redemption must present: a digest of the secret and of
	// everything that is compared, at most [MaxProof] bytes. May be empty
	// while the flow is PENDING; an empty proof redeems nothing.
	Proof []byte
	// Validity is how long the flow can be finished; 1 ms to 24 h.
	Validity time.Duration
	// Interval is how far apart polls must be; 0 when the flow is not polled.
	Interval time.Duration
	// Owner is who pays for the flow under the caps: a client's address, at
	// most [MaxKey] bytes. "" is nobody.
	Owner string
}

// Places is how many places the flow takes under the caps.
func (f NewFlow) Places() int {
	return max(1, (len(f.Value)+PlaceSize-1)/PlaceSize)
}

// Flow is a flow as it stands.
type Flow struct {
	Key       string
	State     State
	Value     []byte // empty once DONE or ERROR without a value
	CreatedAt time.Time
	ExpiresAt time.Time // end of validity
	Now       time.Time // the cache's clock when it answered
	// Interval that polls must keep now.
	Interval time.Duration
	// SlowDown: this poll came too early, and Interval has grown by
	// [PollStep] for all later ones (RFC 8628, section 3.5).
	SlowDown bool
	// Abandoned are the marks given to [Flows.ReopenFlow]: redemptions that took the
	// flow and issued nothing.
	Abandoned [][]byte
	// Note is that of the last [Transition] with one, if it is still known. Only
	// [Flows.Flow] returns it.
	Note []byte
}

// How polls of a PENDING flow are paced (RFC 8628, section 3.5).
const (
	// PollStep is what a poll that came too early adds to the interval.
	PollStep = 5 * time.Second
	// PollTolerance is how much too early a poll may come: clients measure the
	// interval with their own clocks and networks.
	PollTolerance = time.Second
	// MaxSlowedInterval is where the interval stops growing, so that a client that
	// polled too fast learns of a refusal or the end within a minute.
	MaxSlowedInterval = time.Minute
)

// What [Flows.ReopenFlow] remembers of a flow.
const (
	// MarkSize is the length of a mark, in bytes: a SHA-256 sum.
	MarkSize = 32
	// MaxMarks is how many of a flow are kept. Later ones are forgotten.
	MaxMarks = 64
)

// Transition moves a flow from one state to the next.
type Transition struct {
	Key      string
	From, To State
	// Value and Proof replace the flow's; nil keeps them.
	Value, Proof []byte
	// Note says what the flow was for, to whoever comes back to it after the end: it
	// outlives the value, for [NoteLife] where there is room, and no longer than the
	// tombstone. The caller seals it. nil keeps the one that is there.
	Note []byte
	// Validity, when positive, starts anew from now; 0 keeps the flow's end.
	Validity time.Duration
	// Owner, when the transition finishes the flow, has its cap released. It
	// is the owner whom the flow was started for; another or "" does no harm,
	// but costs a round trip more.
	Owner string
}

// Retention is how long a finished or expired flow can still be told from an
// unknown one. Where room is short, the oldest are forgotten earlier, but no
// finished one before its validity has passed.
const Retention = time.Hour

// NoteLife is how long a flow's note is kept after the transition that set it. It may
// be forgotten earlier where room is short: nothing depends on it.
const NoteLife = 10 * time.Minute

// Flows holds the state machines. Each method is one atomic step on one key
// and one round trip.
type Flows interface {
	// StartFlow stores a new flow. ErrFull when the owner has OwnerCap live
	// flows, or all together GlobalCap, see [Caps]; the owner's cap is judged
	// first. ErrExists.
	StartFlow(ctx context.Context, f NewFlow) error
	// Flow returns a flow that is PENDING or READY. ErrNotFound, ErrExpired;
	// for a finished one ErrUsed (DONE) or ErrState (ERROR), together with
	// the flow.
	Flow(ctx context.Context, key string) (Flow, error)
	// AdvanceFlow moves a flow whose state is From to To, exactly once under
	// any concurrency. ErrNotFound, ErrExpired; ErrUsed if it is DONE,
	// ErrState if it is in another state than From. A finished flow stays
	// that, and is not expired, when its validity has passed too. To DONE, the
	// value is returned for the last time.
	AdvanceFlow(ctx context.Context, t Transition) (Flow, error)
	// RedeemFlow moves a READY flow to DONE and returns it with its value,
	// exactly once under any concurrency. What is judged first: ErrNotFound;
	// the proof: ErrMismatch, nothing changes; DONE already: ErrUsed; expired:
	// ErrExpired; PENDING or ERROR: ErrState. A tombstone stays for [Retention].
	// Owner as in [Transition].
	//
	// The value is kept until the validity has passed: ErrUsed comes with the flow
	// and its value until then. An earlier taker may have crashed, or lost the
	// answer, before it issued anything; the token store knows, because it takes the
	// flow's id once. ErrUsed without a value: the validity has passed, or
	// [Flows.AdvanceFlow] finished the flow.
	RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (Flow, error)
	// PollFlow is RedeemFlow for a flow that may still be PENDING: that is no error
	// here, the flow is returned as it stands, with SlowDown judged. A poll is too
	// early when it comes more than [PollTolerance] before Interval has passed since
	// the last one that was not; its answer has no value. READY is delivered to any
	// poll, however early. ERROR is returned as a flow in that state, without error.
	PollFlow(ctx context.Context, key string, proof []byte, owner string) (Flow, error)
	// ReopenFlow gives back a flow that was redeemed, when the redemption failed:
	// DONE goes back to READY with its value, within the validity that it had. It
	// does not count under the caps again. mark, of [MarkSize] bytes or none, is
	// remembered with the flow: it names a redemption that issued nothing, and whose
	// outcome in the store is unknown. A flow that is READY again already keeps the
	// mark too. ErrNotFound, ErrExpired; ErrUsed when the value is gone; ErrState
	// when the flow is PENDING or ERROR.
	ReopenFlow(ctx context.Context, key string, mark []byte) error
	// DeleteFlow forgets a flow, tombstone included. No error if it is gone.
	DeleteFlow(ctx context.Context, key, owner string) error

	// SetAlias lets alias name target until validity has passed, if nothing
	// does: how a user code finds its flow. ErrExists while another alias of
	// that name is live.
	SetAlias(ctx context.Context, alias, target string, validity time.Duration) error
	// Alias returns the target, or ErrNotFound.
	Alias(ctx context.Context, alias string) (string, error)
}

// Caps bound how many live (PENDING or READY) flows there may be, and thereby how
// many bytes: a flow takes a place for each [PlaceSize] of the value that it starts
// with ([NewFlow.Places]). Every implementation takes them at construction. A negative
// cap is none.
type Caps struct {
	// Owner is per NewFlow.Owner. Default (0): 200.
	Owner int
	// Global is for all. Default (0): 1,000,000 on Redis, 100,000 in memory, where
	// it bounds those that were finished within their validity as well.
	Global int
}
