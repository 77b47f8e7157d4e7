package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// What a manager answers. Compare with [errors.Is].
var (
	// ErrNoSession: the handle is forged, or its session is unknown, has
	// ended, is of a suspended subject, or belongs to another client.
	ErrNoSession = errors.New("no such session")
	// ErrUnavailable: the token store does not answer, and this node does not
	// know the session, or has not been able to check it for too long.
	// Nothing is known about the session; try again later.
	ErrUnavailable = errors.New("session cannot be checked now")
)

// ErrForged is the ErrNoSession of a handle that this gateway never made, or that
// was damaged on the way: its MAC is wrong, and no store was asked.
var ErrForged = fmt.Errorf("%w: handle is not ours", ErrNoSession)

// Reasons of ErrNoSession, made once: refusing costs no allocation.
var (
	errUnknown     = fmt.Errorf("%w: unknown", ErrNoSession)
	errEnded       = fmt.Errorf("%w: it has ended", ErrNoSession)
	errSuspended   = fmt.Errorf("%w: %w", ErrNoSession, tokenstore.ErrSuspended)
	errRefused     = fmt.Errorf("%w: %w, or has another credential now", ErrNoSession, provider.ErrGone)
	errOtherClient = fmt.Errorf("%w: it belongs to another client", ErrNoSession)
	errOtherSecret = fmt.Errorf("%w: another secret", ErrNoSession)
	errSealed      = fmt.Errorf("%w: its claims do not open", ErrNoSession)
	errTooOld      = fmt.Errorf("%w: not checked for too long", ErrUnavailable)
)

// errLookAgain: the entry left the table while it was looked at, and nothing
// is known about the session. It never leaves the package.
var errLookAgain = errors.New("entry was dropped")

// unavailable makes whatever kept the store from answering an ErrUnavailable.
func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// answered reports whether an error is the store's verdict and not a failure to
// reach it.
func answered(err error) bool {
	if err == nil {
		return true
	}
	for _, verdict := range []error{
		tokenstore.ErrNotFound, tokenstore.ErrExists, tokenstore.ErrRevoked, tokenstore.ErrExpired,
		tokenstore.ErrSuspended, tokenstore.ErrMismatch, tokenstore.ErrConflict, tokenstore.ErrInvalid,
	} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return false
}

// gaveUp reports whether it was the caller that gave up, which says nothing about
// the store.
func gaveUp(ctx context.Context) bool { return ctx.Err() != nil }
