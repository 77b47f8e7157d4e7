package tokenstore

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
)

// Subject is a person or program as Gatehouse knows it. Its ID is ours: opaque
// and stable, whatever a provider block is called.
type Subject struct {
	ID          string
	CreatedAt   time.Time
	SuspendedAt time.Time // zero: not suspended
}

// Suspended reports whether the subject may not sign in or refresh.
func (s Subject) Suspended() bool { return !s.SuspendedAt.IsZero() }

// Identity is who somebody is at a provider: the provider's issuer and its
// subject there, of at most [MaxIssuer] and [MaxIdentitySubject] bytes. It
// belongs to exactly one [Subject].
type Identity struct {
	Issuer  string
	Subject string
}

// Validate refuses an identity that no store may accept.
func (id Identity) Validate() error {
	return cmp.Or(
		validRequired("issuer", id.Issuer, MaxIssuer),
		validRequired("provider's subject", id.Subject, MaxIdentitySubject),
	)
}

// ValidateIdentityEmail refuses what no store may accept as the MAC of an identity's
// address.
func ValidateIdentityEmail(id Identity, mac []byte) error {
	return cmp.Or(id.Validate(), faultIf(len(mac) == 0 || len(mac) > MaxHash, "address's MAC", "is empty or too long"))
}

// SignIn is one completed sign-in: the identity that a provider vouched for,
// and the session that it starts.
type SignIn struct {
	Identity Identity
	// NewSubject is the subject to create when the identity is unknown.
	NewSubject string
	// Session to create in the same step; its Subject is filled in by the
	// store. A zero ID creates none, a Detached one is ErrInvalid.
	Session NewSession
}

// Validate refuses a sign-in that no store may accept.
func (s SignIn) Validate() error {
	err := cmp.Or(s.Identity.Validate(), ValidateSubject(s.NewSubject))
	if err != nil || s.Session.ID == uuid.Nil {
		return err
	}
	s.Session.Subject = s.NewSubject
	return cmp.Or(faultIf(s.Session.Detached, "sign-in", "is detached"), s.Session.Validate())
}

// Consent is what a subject allowed a client.
type Consent struct {
	Subject  string
	ClientID string
	Scope    []string
	At       time.Time
}

// Validate refuses a consent that no store may accept.
func (c Consent) Validate() error {
	return cmp.Or(
		ValidateSubject(c.Subject),
		validText("client id", c.ClientID, MaxClientID),
		validTexts("scope", c.Scope),
		validTime("time of consent", c.At),
	)
}

// Subjects are people, their identities at providers, and what they consented
// to.
type Subjects interface {
	// SignIn finds or creates the subject of an identity and creates the
	// session, atomically and in one round trip. Two first sign-ins of one
	// identity at once get the same subject. ErrSuspended: nothing was
	// created. ErrExists: the session id is taken, the sign-in is a replay.
	// The session returned is the zero Session when none was asked for; its
	// Subject is set all the same.
	SignIn(ctx context.Context, s SignIn) (Session, error)

	// Subject returns one subject, or ErrNotFound.
	Subject(ctx context.Context, id string) (Subject, error)
	// FindSubject returns the subject of an identity, or ErrNotFound.
	FindSubject(ctx context.Context, id Identity) (Subject, error)
	// Identities lists the identities of a subject, oldest first.
	Identities(ctx context.Context, subject string) ([]Identity, error)
	// Link adds an identity to a subject. ErrExists when it belongs to
	// another subject; ErrConflict when the subject has another one of the same issuer,
	// however many are linked at once; ErrNotFound when there is no such subject.
	// Linking it twice to the same one is no error.
	Link(ctx context.Context, subject string, id Identity) error
	// Unlink removes an identity, or ErrNotFound; ErrConflict if it is the subject's
	// last one, however many are unlinked at once.
	Unlink(ctx context.Context, subject string, id Identity) error
	// SetIdentityEmail notes the MAC of an identity's verified address, of at most
	// [MaxHash] bytes, in place of an earlier one.
	SetIdentityEmail(ctx context.Context, id Identity, mac []byte) error
	// HasIdentityEmail reports whether an identity that belongs to a subject has one of
	// these MACs.
	HasIdentityEmail(ctx context.Context, macs [][]byte) (bool, error)
	// Suspend suspends a subject, or lifts it. ErrNotFound. Sessions stay as
	// they are and are refused while it lasts.
	Suspend(ctx context.Context, subject string, suspended bool) error

	// SetConsent records what a subject allowed a client; a later consent
	// replaces the earlier one.
	SetConsent(ctx context.Context, c Consent) error
	// Consents lists a subject's consents, by client.
	Consents(ctx context.Context, subject string) ([]Consent, error)
	// DeleteConsent withdraws one, or ErrNotFound.
	DeleteConsent(ctx context.Context, subject, clientID string) error
}
