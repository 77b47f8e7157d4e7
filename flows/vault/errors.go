package vault

import (
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// What a vault answers, beside the errors of the token store, which it passes
// on: tokenstore.ErrNotFound, ErrInvalid, ErrExpired and ErrUnavailable.
// Compare with [errors.Is].
var (
	// ErrProvider: no provider of that name or issuer is configured here.
	ErrProvider = errors.New("no such provider")
	// ErrNeedsReauth: the provider refused the refresh token for good, or
	// there is nothing to refresh with. The user must sign in there again.
	ErrNeedsReauth = errors.New("the user must sign in at the provider again")
	// ErrLapsed comes beside ErrNeedsReauth: the access token has expired as it was
	// to, after a minute or longer, and the provider gave no refresh token with it.
	// Another sign-in gives another one. It is a [*LapsedError].
	ErrLapsed = errors.New("its access token has expired, and the provider gave no refresh token")
	// ErrScope: the token does not cover a scope that is wanted. The user can allow
	// it at the provider.
	ErrScope = errors.New("the token does not cover the scope")
	// ErrKey: the token was sealed by a secret that is not configured. It is
	// readable again when that secret is.
	ErrKey = errors.New("provider token was sealed by an unknown key")
	// ErrSealed: the token does not open: it is damaged, or was sealed for
	// another user, provider, client or column.
	ErrSealed = errors.New("provider token does not open")
)

// LapsedError is [ErrLapsed], and when that was.
type LapsedError struct{ ExpiresAt time.Time }

func (e *LapsedError) Error() string { return ErrLapsed.Error() }

// Unwrap returns [ErrLapsed].
func (e *LapsedError) Unwrap() error { return ErrLapsed }

// UnavailableError says that there is no fresh token now because the provider
// cannot be asked, and no older one that is still valid. It is
// [provider.ErrUnavailable].
type UnavailableError struct {
	// RetryAfter is when trying again may be of use: the header of that name.
	RetryAfter time.Duration
	// Err is the cause, if the provider was asked.
	Err error
}

func (e *UnavailableError) Error() string {
	text := fmt.Sprintf("no fresh token now, try again in %s", e.RetryAfter.Round(time.Second))
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns [provider.ErrUnavailable] and the cause.
func (e *UnavailableError) Unwrap() []error {
	if e.Err == nil {
		return []error{provider.ErrUnavailable}
	}
	return []error{provider.ErrUnavailable, e.Err}
}

var _ error = (*UnavailableError)(nil)
