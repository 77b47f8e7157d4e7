package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const claimsLabel = "session claims"

// claimsAAD binds sealed claims to their row, so that a row's claims cannot be
// moved to another.
func claimsAAD(id uuid.UUID) []byte { return []byte("session|" + id.String() + "|claims") }

// sealed is what a row holds of a sign-in that only we read.
type sealed struct {
	identity.Claims
	// Renews is the earlier sign-in of the same person in the same browser.
	Renews uuid.UUID `json:"renews,omitzero"`
	// From is the sign-in that offline access was obtained with, and that it outlives.
	From uuid.UUID `json:"from,omitzero"`
	// At is the issuer whose tokens the session's are. (Claims.Issuer is the
	// provider's.)
	At string `json:"at,omitempty"`
	// Sought is [Start].Sought; nil of sessions of before there was one.
	Sought *string `json:"sought,omitempty"`
	// IDToken of the provider, by which the person is signed out there, and which a site
	// may be told. It never leaves the row but for that.
	IDToken string `json:"id_token,omitempty"`
}

// maxIDToken is the longest ID token that is kept, in bytes: it has to fit into an
// address, and beside the claims into the row.
const maxIDToken = 4 << 10

// sealClaims seals claims for the row of a session.
func (m *Manager) sealClaims(id uuid.UUID, c sealed) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	return m.keys.Seal(claimsLabel, claimsAAD(id), plain), nil
}

// openClaims opens what sealClaims sealed.
func (m *Manager) openClaims(row tokenstore.Session) (identity.Claims, error) {
	c, err := m.openSealed(row)
	return c.Claims, err
}

func (m *Manager) openSealed(row tokenstore.Session) (sealed, error) {
	var c sealed
	plain, err := m.keys.Open(claimsLabel, claimsAAD(row.ID), row.Claims)
	if err != nil {
		return c, fmt.Errorf("opening claims: %w", err)
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		// The error of encoding/json may quote what it read.
		return sealed{}, errors.New("decoding claims: not the JSON that was sealed")
	}
	return c, nil
}

// Lookup returns a session's row, whatever its state, and the claims as they
// were at the sign-in. It always asks the store. Errors: [ErrNoSession] when
// there is no such row or its claims do not open, [ErrUnavailable].
func (m *Manager) Lookup(ctx context.Context, id uuid.UUID) (tokenstore.Session, identity.Claims, error) {
	row, err := m.store.Session(ctx, id)
	if !gaveUp(ctx) {
		m.heard(ctx, err)
	}
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return tokenstore.Session{}, identity.Claims{}, errUnknown
	case err != nil:
		return tokenstore.Session{}, identity.Claims{}, unavailable(err)
	}
	claims, err := m.openClaims(row)
	if err != nil {
		m.log.Error("session's claims do not open", "session", id, "error", err)
		return row, identity.Claims{}, errSealed
	}
	return row, claims, nil
}

// IDToken is the provider's ID token of the sign-in that a session came from, or "" if
// none was kept. It always asks the store. Errors as of [Manager.Lookup].
func (m *Manager) IDToken(ctx context.Context, id uuid.UUID) (string, error) {
	row, _, err := m.Lookup(ctx, id)
	if err == nil && row.Parent != uuid.Nil {
		row, _, err = m.Lookup(ctx, row.Parent)
	}
	if err != nil {
		return "", err
	}
	c, err := m.openSealed(row)
	return c.IDToken, err
}

// equalClaims compares field by field, because it is asked for every session
// at every revalidation and reflection allocates.
func equalClaims(a, b *identity.Claims) bool {
	return a.Provider == b.Provider && a.Issuer == b.Issuer && a.ID == b.ID &&
		a.User == b.User && a.Email == b.Email && a.EmailVerified == b.EmailVerified && a.DomainUnverified == b.DomainUnverified && a.Name == b.Name &&
		a.ACR == b.ACR && a.Credential == b.Credential && a.ProviderSession == b.ProviderSession && a.AuthTime.Equal(b.AuthTime) &&
		slices.Equal(a.Groups, b.Groups) && a.GroupsLeft == b.GroupsLeft && slices.Equal(a.GroupsJudged, b.GroupsJudged) && slices.Equal(a.AMR, b.AMR) && slices.EqualFunc(a.Levels, b.Levels, equalLevel) && maps.Equal(a.Unread, b.Unread) &&
		(len(a.Extra)+len(b.Extra) == 0 || reflect.DeepEqual(a.Extra, b.Extra))
}

func equalLevel(a, b identity.Level) bool {
	return a.ACR == b.ACR && a.At.Equal(b.At) && a.Until.Equal(b.Until)
}
