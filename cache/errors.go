package cache

import "errors"

// What a cache answers. Compare with [errors.Is].
var (
	// ErrNotFound: no such flow, or one whose tombstone has gone too.
	ErrNotFound = errors.New("unknown flow")
	// ErrExpired: the flow's validity has passed on the cache's clock.
	ErrExpired = errors.New("flow has expired")
	// ErrUsed: the flow is DONE already, and the proof matched.
	ErrUsed = errors.New("flow was used already")
	// ErrState: the flow is not in the state that the transition starts from.
	ErrState = errors.New("flow is in another state")
	// ErrMismatch: the proof is not the flow's. Nothing was changed.
	ErrMismatch = errors.New("does not match")
	// ErrExists: the key is taken.
	ErrExists = errors.New("exists already")
	// ErrFull: a cap was reached; it is always a [FullError], which names it.
	ErrFull = errors.New("too many flows")
	// ErrInvalid: an argument beyond its documented size.
	ErrInvalid = errors.New("invalid argument")
	// ErrUnavailable: the cache cannot be reached. Nothing is known.
	ErrUnavailable = errors.New("cache is unavailable")
)

// FullError is an ErrFull that names the cap.
type FullError struct {
	// Cap is "owner" or "global".
	Cap string
	// Limit is its value.
	Limit int
}

// Error names the cap that was reached.
func (e *FullError) Error() string {
	if e.Cap == "owner" {
		return "too many flows from this address"
	}
	return "too many flows in all"
}

// Unwrap makes errors.Is(err, ErrFull) hold.
func (e *FullError) Unwrap() error { return ErrFull }
