package tokenstore

import (
	"cmp"
	"context"
	"time"
)

// KeyState is where a signing key is in its life.
type KeyState string

// A key is published while pending, active and retired; only an active one
// signs.
const (
	KeyPending KeyState = "pending"
	KeyActive  KeyState = "active"
	KeyRetired KeyState = "retired"
	KeyGone    KeyState = "gone"
)

// SigningKey is one key that tokens are signed with.
type SigningKey struct {
	ID        string // kid: the RFC 7638 thumbprint
	Algorithm string // JWS alg
	State     KeyState
	Private   []byte // sealed by the caller; empty once gone
	Public    []byte // JWK
	CreatedAt time.Time
	// ChangedAt is when it came into its state.
	ChangedAt time.Time
}

// Validate refuses a key that no store may accept.
func (k SigningKey) Validate() error {
	return cmp.Or(
		validRequired("key id", k.ID, MaxTokenID),
		validRequired("algorithm", k.Algorithm, MaxAlgorithm),
	)
}

// ValidateTokenID refuses a token id that no store may accept as revoked.
func ValidateTokenID(jti string, until time.Time) error {
	return cmp.Or(
		validRequired("token id", jti, MaxTokenID),
		validTime("expiry", until),
		faultIf(until.IsZero(), "expiry", "is missing"),
	)
}

// SigningKeys are shared by all nodes.
type SigningKeys interface {
	// SigningKeys lists all keys, oldest first, and the store's clock.
	SigningKeys(ctx context.Context) (keys []SigningKey, now time.Time, err error)
	// AddSigningKey adds a pending key. When there is no active key of its
	// algorithm it becomes active at once, for exactly one of several callers.
	// Adding is refused with ErrConflict while another key of the algorithm is
	// pending, so that several nodes agree on one.
	AddSigningKey(ctx context.Context, k SigningKey) (SigningKey, error)
	// PromoteSigningKey makes a pending key active and the active one of its
	// algorithm, which must be `from` ("" for none), retired: a
	// compare-and-set. ErrConflict.
	PromoteSigningKey(ctx context.Context, from, to string) error
	// RemoveSigningKey makes a retired key gone and forgets its private part.
	// ErrConflict when it is not retired.
	RemoveSigningKey(ctx context.Context, id string) error

	// RevokeTokenID refuses an access token without a session until it
	// expires.
	RevokeTokenID(ctx context.Context, jti string, until time.Time) error
	// RevokedTokenIDs lists those that have not yet expired.
	RevokedTokenIDs(ctx context.Context) ([]RevokedTokenID, error)
}

// RevokedTokenID is an access token that is refused.
type RevokedTokenID struct {
	// ID is the token's jti.
	ID string
	// Until is when the token expires.
	Until time.Time
}
