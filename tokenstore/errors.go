package tokenstore

import "errors"

// What a store answers. Compare with [errors.Is]; a store may wrap them with
// detail, which never holds a secret.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: the row is there already. For a session this is a replay:
	// its id came from a code or device code that was redeemed before.
	ErrExists = errors.New("exists already")
	// ErrRevoked: the session was revoked, or the parent that a new session
	// names has ended.
	ErrRevoked = errors.New("revoked")
	// ErrExpired: the idle or the absolute expiry has passed on the store's
	// clock.
	ErrExpired = errors.New("expired")
	// ErrSuspended: the subject is suspended.
	ErrSuspended = errors.New("subject is suspended")
	// ErrMismatch: what was presented (secret, client, confirmation key) is
	// not the row's. Nothing was changed.
	ErrMismatch = errors.New("does not match")
	// ErrReused: a refresh-token generation older than the grace allows was
	// presented. The family was revoked, and that is committed, before this
	// was returned.
	ErrReused = errors.New("refresh token reused")
	// ErrConflict: a compare-and-set found another version than it was given.
	ErrConflict = errors.New("changed meanwhile")
	// ErrInvalid: an argument that no store may accept: NUL, invalid UTF-8,
	// or a field beyond its documented length. Nothing was changed.
	ErrInvalid = errors.New("invalid argument")
	// ErrUnavailable: the store cannot be reached, is not yet migrated, or
	// has no partition for the month. Nothing is known; try again later.
	ErrUnavailable = errors.New("token store is unavailable")
	// ErrSchemaTooNew: the database was migrated by a newer Gatehouse which
	// says that this version cannot use it.
	ErrSchemaTooNew = errors.New("database schema is newer than this version can use")
)
