package tokenstore

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ProviderToken is the token that an outside provider issued for a subject,
// from which fresh ones are obtained. There is one row per (Subject, Provider).
type ProviderToken struct {
	Subject  string
	Provider string // the provider's issuer or, for one without, its name
	ClientID string // ours, at the provider

	AccessToken  []byte // sealed by the caller
	RefreshToken []byte // sealed by the caller; empty: it cannot be refreshed
	AccessHash   []byte // HMAC of the access token, for removal by value
	RefreshHash  []byte // HMAC of the refresh token, for removal by value
	KeyID        string // of the key that sealed the two
	// Narrowed are access tokens for fewer scopes or for one resource, sealed together
	// by the caller; of at most [MaxNarrowed] bytes. A sign-in ends them.
	Narrowed []byte `json:",omitempty"`

	TokenType string
	Scope     string
	IssuedAt  time.Time
	ExpiresAt time.Time // of the access token; zero: unknown
	// RefreshExpiresAt of the refresh token. Required: the caller takes it
	// from the provider, from the token's exp, or from its default. Without a
	// refresh token it is how long the row is kept: some time beyond ExpiresAt, or
	// until a time that never comes.
	RefreshExpiresAt time.Time
	AccessRevokedAt  time.Time // zero: not revoked
	RefreshRevokedAt time.Time // zero: not revoked

	// NeedsReauth: the provider refused the refresh token for good, or the access
	// token where there is no other; the user must sign in there again.
	NeedsReauth bool
	// Version grows with every write of the token and is never used again,
	// not even after the row was deleted and stored anew; writes compare it. A
	// lease does not change it, so that a holder whose lease ran out can still
	// save the token that the provider rotated.
	Version int64
	// LeaseOwner may refresh the token until LeaseUntil. It stays when the
	// lease runs out: who held it neither wrote the token nor gave up the lease.
	LeaseOwner string
	LeaseUntil time.Time
}

// IsExpired reports whether the access token has expired at now. A token without
// an expiry has not.
func (t ProviderToken) IsExpired(now time.Time) bool {
	return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)
}

// IsRevoked reports whether either token was revoked.
func (t ProviderToken) IsRevoked() bool {
	return !t.AccessRevokedAt.IsZero() || !t.RefreshRevokedAt.IsZero()
}

// GetScope returns the scopes.
func (t ProviderToken) GetScope() []string { return strings.Fields(t.Scope) }

// GetExpiresIn returns the access token's lifetime as issued, not what is left
// of it; 0 when the provider gave none.
func (t ProviderToken) GetExpiresIn() time.Duration {
	if t.ExpiresAt.IsZero() {
		return 0
	}
	return t.ExpiresAt.Sub(t.IssuedAt)
}

// CheckClient reports whether the token was issued to a client.
func (t ProviderToken) CheckClient(clientID string) bool { return t.ClientID == clientID }

// ProviderTokenQuery selects provider tokens. Zero fields do not limit.
type ProviderTokenQuery struct {
	Subject     string
	Provider    string
	ClientID    string
	AccessHash  []byte
	RefreshHash []byte
	// ExpiredBefore selects rows whose refresh token had expired at that
	// time.
	ExpiredBefore time.Time
	// Revoked, when not nil, selects by [ProviderToken.IsRevoked].
	Revoked *bool
	// KeyIDNot selects rows that another key sealed, for resealing.
	KeyIDNot string
	// All must be set for a query without any other condition.
	All bool
	// AfterSubject and AfterProvider continue a listing, which is ordered by
	// (Subject, Provider).
	AfterSubject, AfterProvider string
	// Limit: 1 to 1,000; 0 is 100.
	Limit int
}

// StoreOptions say how a displaced provider token is treated.
type StoreOptions struct {
	// RevokeDisplaced queues the displaced token for revocation at the
	// provider, in the same transaction, if its refresh token differs from
	// the kept one. Off by default: at many providers revoking one token ends
	// the whole grant.
	RevokeDisplaced bool
	// Scope is what the configuration asks of the provider. A stored token does not
	// withstand if it has other scopes that the new one lacks: what is not asked for
	// any more is to go. Nil: it may have any.
	Scope []string
}

// StoreResult is what became of a token that was stored.
type StoreResult struct {
	// Kept is the row that now stands.
	Kept ProviderToken
	// Displaced is the token that lost: the former one, or, when the stored
	// one withstands it, the new one; see [ProviderToken.Withstands].
	// Nil when there was none.
	Displaced *ProviderToken
}

// OutboxKind says what an outbox entry asks for.
type OutboxKind string

// The kinds of outbox entries.
const (
	OutboxProviderRevocation OutboxKind = "provider_revocation"
	OutboxBackchannelLogout  OutboxKind = "backchannel_logout"
)

// OutboxEntry is something that must still be told to somebody else.
type OutboxEntry struct {
	ID       uuid.UUID // UUIDv7
	Kind     OutboxKind
	Target   string    // the provider or the client
	Payload  []byte    // sealed by the caller; see also [NewRevocation]
	Attempts int       // how often it was handed out
	NotBy    time.Time // given up after this
}

// ProviderTokens are the tokens of outside providers. Times are given by the
// caller where a provider said them; "expired" is judged on the store's clock.
type ProviderTokens interface {
	// StoreProviderToken stores a token, judging in this order: one without any
	// token, or whose RefreshExpiresAt has passed, is refused (ErrInvalid,
	// ErrExpired) and changes nothing. Otherwise it replaces what is stored, unless
	// that stays (see [StoreOptions.Keeps]): it is live, of the same client, and can
	// do more or lasts longer, and no more than the options' scopes. Two concurrent first stores leave
	// one row; the loser is reported displaced.
	StoreProviderToken(ctx context.Context, t ProviderToken, o StoreOptions) (StoreResult, error)
	// ProviderToken returns a subject's token for a provider, or ErrNotFound.
	ProviderToken(ctx context.Context, subject, provider string) (ProviderToken, error)
	// ListProviderTokens lists tokens. A query without a condition and
	// without All is ErrInvalid.
	ListProviderTokens(ctx context.Context, q ProviderTokenQuery) ([]ProviderToken, error)
	// DeleteProviderTokens deletes what the query selects (a page of it, by
	// Limit) and returns what went. Unless quiet, each is queued for
	// revocation at the provider, in the same transaction.
	DeleteProviderTokens(ctx context.Context, q ProviderTokenQuery, quiet bool) ([]ProviderToken, error)

	// LeaseProviderToken takes the right to refresh a token, for at most d:
	// ErrConflict if the version moved on or another's lease still runs. Its
	// holder gives a lease up with a d of 0: the row has no owner then.
	LeaseProviderToken(ctx context.Context, subject, provider string, version int64, owner string, d time.Duration) (ProviderToken, error)
	// UpdateProviderToken writes a token back whose Version is still the
	// row's, ends the lease and returns the new row; else ErrConflict. A
	// LeaseOwner without LeaseUntil stays, as of a lease that ran out: the
	// token was written for another reason than a refresh.
	UpdateProviderToken(ctx context.Context, t ProviderToken) (ProviderToken, error)

	// Enqueue adds an entry to the outbox.
	Enqueue(ctx context.Context, e OutboxEntry) error
	// TakeOutbox hands out up to limit due entries of the given kinds (none:
	// of every kind), each to one caller at a time: an entry not finished
	// within lease is handed out again. Who cannot deal with a kind must not
	// take it: those who can would wait for the lease to end.
	TakeOutbox(ctx context.Context, limit int, lease time.Duration, kinds ...OutboxKind) ([]OutboxEntry, error)
	// FinishOutbox removes an entry, or with again > 0 has it handed out
	// again after that time.
	FinishOutbox(ctx context.Context, id uuid.UUID, again time.Duration) error
}
