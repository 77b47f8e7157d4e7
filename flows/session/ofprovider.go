package session

import (
	"context"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// providerSessionLabel hashes the sessions of providers: the hash is looked for,
// and tells who reads the store nothing.
const providerSessionLabel = "provider session"

// OfProvider returns the live sign-ins that came from one session at a provider
// (claim sid). It asks the store. Error: [ErrUnavailable].
func (m *Manager) OfProvider(ctx context.Context, issuer, providerSession string) ([]uuid.UUID, error) {
	if providerSession == "" {
		return nil, nil
	}
	var ids []uuid.UUID
	query := tokenstore.SessionQuery{
		ProviderSession: m.keys.MACs(providerSessionLabel, []byte(issuer), []byte(providerSession)), Limit: 500,
	}
	for row, err := range m.each(ctx, query) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, row.ID)
	}
	return ids, nil
}
