package session

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Start is a session to be started.
type Start struct {
	// ID is that of the flow that the sign-in went through, so that a code
	// redeemed twice meets its own session. Zero: a fresh one.
	ID uuid.UUID
	// Secret of the session's handle and refresh tokens. Zero: a fresh one.
	Secret [16]byte
	// Replaces are the hashes of the secrets of earlier attempts to start the
	// session whose answer was lost; see [tokenstore.NewSession].
	Replaces [][]byte
	// Parent is the portal sign-in that the session comes from, Subject its
	// subject. For [Manager.SignIn] both are left out.
	Parent   uuid.UUID
	Subject  string
	ClientID string
	// Detached: the sign-in must be live when the session begins, and its end does
	// not reach the session; see [Manager.From]. For [Manager.Handover] alone.
	Detached bool
	// Renews is the sign-in of the same person that the browser held before, or
	// zero. It goes on, with all that came from it, and [Manager.SignOut] of
	// either ends both. For [Manager.SignIn] alone.
	Renews uuid.UUID
	// Issuer is the one whose tokens a client is given for the session, or "". A
	// guarded site may be one of its own.
	Issuer   string
	Scope    string
	Resource []string
	// Cnf is the thumbprint of the key that tokens are bound to, or "".
	Cnf       string
	Claims    identity.Claims
	UserAgent string
	// Sought is the provider that the person was sent to because its token was
	// wanted, or "": whoever has just been there is not sent there again. Nil for a
	// [Manager.Handover] of a sign-in of which that is not known.
	Sought *string
	// IDToken of the provider, to sign the person out there by, or "". One of more than
	// 4 KiB is not kept.
	IDToken string
	// Lifetime and Idle, when not 0, replace those of the Settings.
	Lifetime, Idle time.Duration
}

// Started is a session that was started.
type Started struct {
	// Handle is the string to hand out. It is a secret.
	Handle string
	// Secret is what the handle and the refresh tokens of the session share.
	Secret   [16]byte
	Identity *identity.Identity
	// ExpiresAt is the absolute end, by the store's clock.
	ExpiresAt time.Time
	Session   tokenstore.Session
}

// String leaves the secrets out.
func (s Started) String() string { return "session " + s.Session.ID.String() }

// GoString leaves the secrets out.
func (s Started) GoString() string { return s.String() }

// SignIn starts a session for somebody whom a provider vouched for: it finds or
// makes the subject and creates the session, in one step. Errors:
// provider.ErrGone when Settings.Current refuses the claims, and those of
// tokenstore: ErrExists (a replay), ErrSuspended, ErrInvalid and
// ErrUnavailable, which is [ErrUnavailable] as well.
func (m *Manager) SignIn(ctx context.Context, s Start) (Started, error) {
	s.Parent, s.Subject, s.Detached = uuid.Nil, "", false
	if s.Sought == nil {
		s.Sought = new(string)
	}
	return m.start(ctx, s, func(n tokenstore.NewSession) (tokenstore.Session, error) {
		return m.store.SignIn(ctx, tokenstore.SignIn{
			Identity:   tokenstore.Identity{Issuer: s.Claims.Issuer, Subject: s.Claims.ID},
			NewSubject: m.newSubject(),
			Session:    n,
		})
	})
}

// Handover starts a session that comes from a portal sign-in, for its subject.
// Errors as for [Manager.SignIn], and tokenstore.ErrRevoked when the sign-in
// has ended.
func (m *Manager) Handover(ctx context.Context, s Start) (Started, error) {
	s.Renews = uuid.Nil
	return m.start(ctx, s, func(n tokenstore.NewSession) (tokenstore.Session, error) {
		return m.store.CreateSession(ctx, n)
	})
}

func (m *Manager) start(ctx context.Context, s Start, create func(tokenstore.NewSession) (tokenstore.Session, error)) (Started, error) {
	now, err := m.acceptable(s.Claims)
	if err != nil {
		return Started{}, fmt.Errorf("starting session: %w", err)
	}
	if s.Claims.Credential == "" {
		// Of a sign-in that a node began which knew no fingerprints.
		s.Claims.Credential = now.Credential
	}
	h := handle.Handle{ID: s.ID, Secret: s.Secret}
	if h.ID == uuid.Nil {
		h.ID = handle.NewID(m.now(), m.random)
	}
	if h.Secret == [16]byte{} {
		copy(h.Secret[:], m.randomBytes(len(h.Secret)))
	}
	n, err := m.newSession(s, h)
	if err != nil {
		return Started{}, fmt.Errorf("starting session: %w", err)
	}

	before := m.mark()
	row, err := create(n)
	if !gaveUp(ctx) {
		m.heard(ctx, err)
	}
	switch {
	case !answered(err):
		return Started{}, fmt.Errorf("starting session: %w", unavailable(err))
	case err != nil:
		return Started{}, fmt.Errorf("starting session: %w", err)
	}
	m.mu.Lock()
	delete(m.endings.moments, row.ID)
	if e := m.table.get(&row.ID); e != nil && !e.hasSecret(row.SecretHash) {
		m.drop(e) // of an attempt that this one replaces
	}
	m.mu.Unlock()
	e, err := m.admit(row, before)
	if errors.Is(err, errLookAgain) {
		e, err = m.load(ctx, row.ID)
	}
	if err != nil {
		return Started{}, fmt.Errorf("starting session: %w", err)
	}
	return Started{
		Handle:    handle.MintSession(m.keys, h),
		Secret:    h.Secret,
		Identity:  e.who.Load(),
		ExpiresAt: row.ExpiresAt,
		Session:   row,
	}, nil
}

// acceptable asks the settings before anything is stored.
func (m *Manager) acceptable(c identity.Claims) (identity.Claims, error) {
	current := m.settings.Load().Current
	if current == nil {
		return c, nil
	}
	return current(c)
}

func (m *Manager) newSession(s Start, h handle.Handle) (tokenstore.NewSession, error) {
	note := sealed{Claims: s.Claims, Renews: s.Renews, At: s.Issuer, Sought: s.Sought}
	if s.Detached {
		note.From = s.Parent
	}
	if len(s.IDToken) <= maxIDToken {
		note.IDToken = s.IDToken
	}
	claims, err := m.sealClaims(h.ID, note)
	if err != nil {
		return tokenstore.NewSession{}, err
	}
	set := m.settings.Load()
	n := tokenstore.NewSession{
		ID:         h.ID,
		Parent:     s.Parent,
		Detached:   s.Detached,
		Subject:    s.Subject,
		ClientID:   s.ClientID,
		Scope:      s.Scope,
		Resource:   s.Resource,
		Claims:     claims,
		SecretHash: h.SecretHash(),
		Cnf:        s.Cnf,
		AuthTime:   s.Claims.AuthTime,
		ACR:        s.Claims.ACR,
		AMR:        s.Claims.AMR,
		Provider:   s.Claims.Provider,
		UserAgent:  text(s.UserAgent),
		Idle:       s.Idle,
		Lifetime:   s.Lifetime,
		Replaces:   s.Replaces,
	}
	if sid := s.Claims.ProviderSession; sid != "" && s.Parent == uuid.Nil {
		// What came from the sign-in ends with it and needs no mark of its own.
		n.ProviderSession = m.keys.MAC(providerSessionLabel, []byte(s.Claims.Issuer), []byte(sid))
	}
	if n.Idle == 0 {
		n.Idle = set.Idle
	}
	if n.Lifetime == 0 {
		n.Lifetime = set.Lifetime
	}
	return n, nil
}

// newSubject is an opaque id of 128 random bits.
func (m *Manager) newSubject() string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.randomBytes(16)))
}

// randomBytes come from the injected source, or if that fails from the
// operating system's, which does not.
func (m *Manager) randomBytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(m.random, b); err != nil {
		_, _ = rand.Read(b)
	}
	return b
}

var (
	_ fmt.Stringer   = Started{}
	_ fmt.GoStringer = Started{}
)

// text is a header's value as a store takes it: browsers may send any bytes, and
// a sign-in must not fail for what nobody judges by.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "?")
}
