package identity

import (
	"sync/atomic"
	"time"
)

// Accepted is a token of another issuer that somebody came by. It is a secret.
type Accepted struct {
	token string
	// confirmed is when it was last vouched for, in nanoseconds since 1970.
	confirmed atomic.Int64
	current   atomic.Pointer[Identity]
}

// Accept is a token that was vouched for at a time.
func Accept(token string, at time.Time) *Accepted {
	a := &Accepted{token: token}
	a.confirmed.Store(at.UnixNano())
	return a
}

// Token is the token itself.
func (a *Accepted) Token() string { return a.token }

// Confirm says that the token was vouched for again, and who it is of by now.
func (a *Accepted) Confirm(who *Identity, at time.Time) {
	a.current.Store(who)
	a.confirmed.Store(at.UnixNano())
}

// ConfirmedAt is when the token was last vouched for.
func (a *Accepted) ConfirmedAt() time.Time { return time.Unix(0, a.confirmed.Load()) }

// Current is who the token is of by now, or nil if it was vouched for but once.
func (a *Accepted) Current() *Identity { return a.current.Load() }
