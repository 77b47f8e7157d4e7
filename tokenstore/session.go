package tokenstore

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Limits on what a session row may hold, in bytes. Beyond them a store answers
// ErrInvalid.
const (
	MaxScope     = 1024
	MaxClientID  = 1024 // of a client that registered itself; those of the configuration have 255
	MaxSubject   = 255
	MaxUserAgent = 512
	MaxClaims    = 32 << 10

	MaxProviderSession = 64
)

// NewSession is a session to be created. Expiry is given as durations, because
// it is judged on the store's clock.
type NewSession struct {
	// ID is a UUIDv7: the id of the flow that the sign-in went through, so
	// that a code redeemed twice meets its own session.
	ID uuid.UUID
	// Parent is the portal sign-in that this session came from; uuid.Nil for
	// a sign-in of its own. The parent must be live: a missing, revoked or
	// expired one, or another subject's, is ErrRevoked.
	Parent uuid.UUID
	// Detached: Parent must be live when the session begins, and is nothing to
	// it afterwards: it is not stored, and neither its end nor its revocation
	// reaches the session. For offline access, which outlives the sign-in that
	// allowed it, but does not begin when that has ended.
	Detached   bool
	Subject    string
	ClientID   string
	Scope      string
	Resource   []string
	Claims     []byte // sealed by the caller
	SecretHash []byte // SHA-256 of the handle's or refresh tokens' secret
	Cnf        string // key thumbprint that tokens are bound to, or ""
	AuthTime   time.Time
	ACR        string
	AMR        []string
	Provider   string // the provider block's name
	UserAgent  string // stored as CutUserAgent returns it
	// ProviderSession is a hash of the session at the provider that the
	// sign-in came from, of at most [MaxProviderSession] bytes, or nil. It can
	// be looked for, and is not returned.
	ProviderSession []byte
	// Idle is how long the session lives unused, Lifetime how long at most.
	// The absolute end is the earlier of now+Lifetime and the parent's. Both are
	// required: without one the session would be dead at birth.
	Idle     time.Duration
	Lifetime time.Duration
	// Replaces are secret hashes of earlier attempts to create this session
	// whose answer was lost, so that nobody was given their secret. A row of
	// the same id, subject and client that one of them made, and that is not
	// revoked, is no replay: it becomes this session, with the new SecretHash,
	// Cnf and Claims, exactly once. Not more than [MaxReplaces].
	Replaces [][]byte
}

// MaxReplaces is the most hashes that [NewSession.Replaces] may hold.
const MaxReplaces = 64

// Session is one sign-in of one subject at one client (a guarded host is a
// client of its own), and the family of the refresh tokens issued for it.
type Session struct {
	ID         uuid.UUID
	Parent     uuid.UUID
	Subject    string
	ClientID   string
	Scope      string
	Resource   []string
	Claims     []byte
	SecretHash []byte
	Cnf        string
	AuthTime   time.Time
	ACR        string
	AMR        []string
	Provider   string
	UserAgent  string

	Generation uint32    // of the current refresh token; 0 for the first
	CreatedAt  time.Time // the time in ID
	RotatedAt  time.Time // of the last rotation; creation until then
	SeenAt     time.Time // of the last recorded use; coarse
	RevokedAt  time.Time // zero: not revoked
	Idle       time.Duration
	ExpiresAt  time.Time // absolute end
	Suspended  bool      // the subject is suspended now
	// Now is the store's clock when it answered, to judge the times by.
	Now time.Time
}

// IdleAt is when the session ends if it is not used again.
func (s Session) IdleAt() time.Time {
	last := s.RotatedAt
	if s.SeenAt.After(last) {
		last = s.SeenAt
	}
	return last.Add(s.Idle)
}

// EndsAt is when the session ends if it is not used again: the earlier of the
// idle and the absolute expiry.
func (s Session) EndsAt() time.Time {
	if idle := s.IdleAt(); idle.Before(s.ExpiresAt) {
		return idle
	}
	return s.ExpiresAt
}

// Err tells why the session is not live (ErrRevoked, ErrExpired or
// ErrSuspended), or nil.
func (s Session) Err() error {
	switch {
	case !s.RevokedAt.IsZero():
		return ErrRevoked
	case !s.Now.Before(s.EndsAt()):
		return ErrExpired
	case s.Suspended:
		return ErrSuspended
	}
	return nil
}

// RefreshStatus is what AuthDB calls a refresh token's status.
type RefreshStatus string

// A refresh token is CREATED while it is the current generation of a live
// session, REVOKED when it is older or its session was revoked.
const (
	RefreshCreated RefreshStatus = "CREATED"
	RefreshRevoked RefreshStatus = "REVOKED"
)

// RefreshStatus is the status of one generation of the session's refresh
// tokens.
func (s Session) RefreshStatus(generation uint32) RefreshStatus {
	if s.RevokedAt.IsZero() && generation == s.Generation {
		return RefreshCreated
	}
	return RefreshRevoked
}

// Rotation is a refresh token as it was presented, and what it must match.
type Rotation struct {
	ID         uuid.UUID
	Generation uint32
	SecretHash []byte
	ClientID   string
	Cnf        string
	// Grace is how long the generation before the current one is still
	// answered with the current one; counted from the rotation, never
	// prolonged. At most a minute makes sense.
	Grace time.Duration
	// RevokeSubject revokes all of the subject's sessions on reuse, not only
	// the family.
	RevokeSubject bool
}

// RotationResult is what a rotation did.
type RotationResult struct {
	// Session after the rotation. Session.Generation is the generation of
	// the successor to hand out.
	Session Session
	// PreviousRotatedAt is the RotatedAt before this rotation, for
	// UnrotateSession.
	PreviousRotatedAt time.Time
	// Retry: the token had been rotated before and this is a repetition
	// inside the grace; nothing was written.
	Retry bool
	// Reused lists the sessions that were revoked when the error is
	// ErrReused, to be announced.
	Reused []uuid.UUID
}

// SessionQuery selects sessions for a listing.
type SessionQuery struct {
	// Subject whose sessions are listed. Required unless All or
	// ProviderSession is set: an empty subject is ErrInvalid, never everybody.
	Subject string
	// All lists everybody's sessions, revoked and expired ones included, for
	// an administrator. With a Subject, that subject's.
	All bool
	// Parent, when set, limits to the children of one portal sign-in.
	Parent uuid.UUID
	// ClientID, when set, limits to one client.
	ClientID string
	// ProviderSession, when set, limits to the sign-ins whose hash is one of
	// these.
	ProviderSession [][]byte
	// Before continues a listing: only sessions with a smaller id. uuid.Nil
	// starts with the newest.
	Before uuid.UUID
	// Limit is the page's size: 1 to 1,000; 0 is 100.
	Limit int
}

// SessionState is what a revalidation learns of one session.
type SessionState struct {
	ID        uuid.UUID
	RevokedAt time.Time
	ExpiresAt time.Time // absolute end
	EndsAt    time.Time // idle or absolute end, whichever is earlier
	Suspended bool
	// Claims is the stamp of the row's claims, to tell whether they are still
	// those that were loaded.
	Claims ClaimsStamp
}

// ClaimsStamp is what sealed claims begin with, and zeros where they are
// shorter. Because that holds a random nonce, claims that were replaced have
// another stamp.
type ClaimsStamp [16]byte

// StampOf returns the stamp of sealed claims.
func StampOf(claims []byte) ClaimsStamp {
	var stamp ClaimsStamp
	copy(stamp[:], claims)
	return stamp
}

// Sessions are sign-ins and refresh-token families.
type Sessions interface {
	// CreateSession creates a session of a known subject, in one round trip.
	// ErrExists: the id is taken, by a row that [NewSession.Replaces] does not
	// name; nothing changed. ErrRevoked: the parent is
	// not live. ErrSuspended. ErrNotFound: no such subject.
	CreateSession(ctx context.Context, n NewSession) (Session, error)

	// Session returns a session whatever its state; see [Session.Err]. One
	// round trip. ErrNotFound.
	Session(ctx context.Context, id uuid.UUID) (Session, error)

	// Revalidate returns the state of each of the sessions that exist, in no
	// particular order; an id without a row has no state in the answer. One
	// statement whatever the number. A session that is live and in Touch gets
	// seen_at = now, which prolongs its idle expiry.
	Revalidate(ctx context.Context, ids, touch []uuid.UUID) (states []SessionState, now time.Time, err error)

	// ReplaceClaims replaces the sealed claims of a session, whatever else has
	// changed of it meanwhile: the provider said anew who its user is.
	// ErrNotFound when there is no such session or it was revoked; ErrInvalid
	// beyond [MaxClaims].
	ReplaceClaims(ctx context.Context, id uuid.UUID, claims []byte) error

	// ListSessions lists sessions, newest first. Without All: live ones only.
	ListSessions(ctx context.Context, q SessionQuery) ([]Session, error)

	// Rotate moves a session's refresh token to its next generation: one
	// conditional UPDATE in one round trip. It judges in this order, and
	// refusals change nothing unless said:
	//
	//   - no such session: ErrNotFound
	//   - another secret, client or confirmation key: ErrMismatch
	//   - revoked: ErrRevoked; expired: ErrExpired; suspended: ErrSuspended
	//   - the current generation: rotated, exactly once under any concurrency
	//   - the one before it, within Grace of the rotation: Retry, with the
	//     current session, no write
	//   - a generation ahead of the row (the database lost writes in a
	//     fail-over): the row moves forward to it and is rotated
	//   - any older one: the family (or all of the subject's) is revoked,
	//     committed, and then ErrReused
	Rotate(ctx context.Context, r Rotation) (RotationResult, error)

	// UnrotateSession puts back a rotation that policy refused after the
	// fact, if the session is still at that generation: generation is the one
	// that the rotation returned, rotatedAt the RotatedAt to restore, which
	// RotationResult.PreviousRotatedAt gave. ErrConflict if the session moved
	// on or was revoked meanwhile.
	UnrotateSession(ctx context.Context, id uuid.UUID, generation uint32, rotatedAt time.Time) error

	// RevokeSession revokes a session and the children that came from it, and
	// returns the ids that this call revoked (none if it was revoked
	// already). ErrNotFound. No node is told, by this method or the next two: that
	// is the caller's to do, by flows/session.Manager for one.
	RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error)
	// RevokeSubject revokes all sessions of a subject and returns those that
	// this call revoked. An empty subject is ErrInvalid.
	RevokeSubject(ctx context.Context, subject string) ([]uuid.UUID, error)
	// RevokeAgain writes revocations again that a fail-over may have lost:
	// the sessions that exist and are not revoked become so, with the children
	// that came from them. It may take several transactions.
	RevokeAgain(ctx context.Context, ids []uuid.UUID) error
}
