package tokenstore

import (
	"cmp"
	"context"
	"time"
)

// Delegation is whether a client may have a subject's access tokens of a provider
// while the subject is away. One with neither time says only that the client had them
// by the administrator's policy.
type Delegation struct {
	Subject  string
	ClientID string
	Provider string // the provider's issuer or, for one without, its name
	// AllowedAt and ForbiddenAt are when the subject said so; at most one is set.
	AllowedAt   time.Time
	ForbiddenAt time.Time
	// Claims are who the subject was when they allowed it, sealed by the caller; of at
	// most [MaxClaims] bytes.
	Claims []byte
	// UsedAt is when the client last had a token by it; zero: never.
	UsedAt time.Time
	// Linked: an identity at the provider belongs to the subject. Set by
	// [Delegations.Delegation] only.
	Linked bool
}

// Validate refuses a delegation that no store may accept.
func (d Delegation) Validate() error {
	return cmp.Or(
		ValidateDelegation(d.Subject, d.ClientID, d.Provider),
		validTime("time of permission", d.AllowedAt),
		validTime("time of prohibition", d.ForbiddenAt),
		faultIf(!d.AllowedAt.IsZero() && !d.ForbiddenAt.IsZero(), "delegation", "is both allowed and forbidden"),
		faultIf(len(d.Claims) > MaxClaims, "claims", "are too long"),
	)
}

// maxDelegate is the longest id of a client that acts for people. With the provider and
// the subject it has to fit into an index entry.
const maxDelegate = 255

// ValidateDelegation refuses what cannot name a [Delegation].
func ValidateDelegation(subject, clientID, provider string) error {
	return cmp.Or(
		ValidateSubject(subject),
		validRequired("client id", clientID, maxDelegate),
		validRequired("provider", provider, MaxIssuer),
	)
}

// Delegations are what subjects said about clients that act for them.
type Delegations interface {
	// SetDelegation records what the subject says now; UsedAt stays as it is.
	SetDelegation(ctx context.Context, d Delegation) error
	// Delegation returns one, which is without any time if nothing was recorded.
	// ErrNotFound if there is no such subject, ErrSuspended if it is suspended.
	Delegation(ctx context.Context, subject, clientID, provider string) (Delegation, error)
	// Delegations lists a subject's, by client and provider.
	Delegations(ctx context.Context, subject string) ([]Delegation, error)
	// UseDelegation records that the client has a token by it now, by the store's
	// clock, and who the subject is now, if Claims are given. ErrConflict if the subject
	// has said something else since d was read, or no identity at the provider belongs to
	// them any more; ErrNotFound if there is no such subject, ErrSuspended if it is
	// suspended. Nothing is recorded then.
	UseDelegation(ctx context.Context, d Delegation) error
	// SetDelegationClaims records who the subject is now, if they have said nothing else
	// since d was read; else nothing, which is no error.
	SetDelegationClaims(ctx context.Context, d Delegation) error
	// DeleteDelegations forgets a subject's delegations for a provider. What the subject
	// has forbidden stays, so that no policy allows it anew. None is no error.
	DeleteDelegations(ctx context.Context, subject, provider string) error
}
