package tokenstore

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// RevocationRetention is how long a store keeps trying, through whoever drains
// the outbox, to have a provider token revoked at its provider.
const RevocationRetention = 7 * 24 * time.Hour

// Validate refuses an entry that no store may accept.
func (e OutboxEntry) Validate() error {
	return cmp.Or(
		ValidateText("kind", string(e.Kind)),
		ValidateText("target", e.Target),
		validTime("end of tries", e.NotBy),
		faultIf(e.ID == uuid.Nil, "id", "is missing"),
	)
}

// ValidateTake refuses what [ProviderTokens] may not be asked for by TakeOutbox.
func ValidateTake(limit int, kinds []OutboxKind) error {
	for _, k := range kinds {
		if err := ValidateText("kind", string(k)); err != nil {
			return err
		}
	}
	return validLimit(limit)
}

// NewRevocation returns the outbox entry that a store queues, in the
// transaction that deletes or displaces a provider token, to have that token
// revoked at its provider. Its Target is the token's provider; its Payload is
// the row, whose tokens stay sealed as they were, and is read back by
// [OutboxEntry.Revocation]. now is the store's clock.
func NewRevocation(t ProviderToken, now time.Time) (OutboxEntry, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return OutboxEntry{}, fmt.Errorf("making an outbox entry's id: %w", err)
	}
	payload, err := json.Marshal(t)
	if err != nil {
		return OutboxEntry{}, fmt.Errorf("encoding a provider token for the outbox: %w", err)
	}
	return OutboxEntry{
		ID:      id,
		Kind:    OutboxProviderRevocation,
		Target:  t.Provider,
		Payload: payload,
		NotBy:   now.Add(RevocationRetention),
	}, nil
}

// Revocation returns the provider token that an [OutboxProviderRevocation]
// entry asks to have revoked, its tokens sealed as the store held them.
// Another kind of entry, or a payload that [NewRevocation] did not make, is
// ErrInvalid.
func (e OutboxEntry) Revocation() (ProviderToken, error) {
	if e.Kind != OutboxProviderRevocation {
		return ProviderToken{}, fmt.Errorf("reading an outbox entry of kind %q as a revocation: %w", e.Kind, ErrInvalid)
	}
	var t ProviderToken
	if err := json.Unmarshal(e.Payload, &t); err != nil {
		// The cause would quote the payload.
		return ProviderToken{}, fmt.Errorf("reading an outbox entry's provider token: %w", ErrInvalid)
	}
	return t, nil
}
