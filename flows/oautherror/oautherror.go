// Package oautherror is the errors of the token endpoint and its kin (RFC 6749, section
// 5.2), and what an error of a store, the cache or a check means for the client: that
// the grant is not good, or that the same request may succeed later.
package oautherror

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Error is what a client is told, as JSON.
type Error struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
	// LinkURL is where the person can do what is missing, if that is all.
	LinkURL string `json:"link_url,omitempty"`
	// Status of the answer, and its Retry-After in seconds, if any.
	Status     int    `json:"-"`
	RetryAfter string `json:"-"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Description }

// Invalid is an error with status 400.
func Invalid(code, description string) *Error {
	return &Error{Code: code, Description: description, Status: http.StatusBadRequest}
}

// InvalidGrant is the refusal that must not differ, whatever the cause: expired,
// revoked, foreign, reused and unknown all look the same.
func InvalidGrant() *Error {
	return Invalid("invalid_grant", "the grant is not valid, has expired or was used already")
}

// verdicts are the answers that say of a grant that it is not good. No other
// error may be told as invalid_grant: the client would throw its refresh token
// away for what ails the store.
var verdicts = []error{
	tokenstore.ErrNotFound, tokenstore.ErrExists, tokenstore.ErrRevoked, tokenstore.ErrExpired,
	tokenstore.ErrSuspended, tokenstore.ErrMismatch, tokenstore.ErrReused,
	cache.ErrNotFound, cache.ErrExpired, cache.ErrUsed, cache.ErrState, cache.ErrMismatch,
	session.ErrNoSession, provider.ErrGone,
}

// IsVerdict reports whether an error says of a grant that it is not good.
func IsVerdict(err error) bool {
	return slices.ContainsFunc(verdicts, func(v error) bool { return errors.Is(err, v) })
}

// IsAway reports whether what would have to be asked does not answer.
func IsAway(err error) bool {
	return errors.Is(err, cache.ErrUnavailable) || errors.Is(err, tokenstore.ErrUnavailable) ||
		errors.Is(err, session.ErrUnavailable) || errors.Is(err, token.ErrNoKey)
}

// IsPassing reports whether an error is not the code's fault: the same request may
// succeed later.
func IsPassing(err error) bool {
	var told *Error
	switch {
	case err == nil:
		return false
	case IsAway(err), errors.Is(err, cache.ErrFull):
		return true
	}
	return !IsVerdict(err) && !errors.As(err, &told) && !errors.Is(err, accesstoken.ErrProof) &&
		!errors.Is(err, tokenstore.ErrInvalid) && !errors.Is(err, cache.ErrInvalid)
}
