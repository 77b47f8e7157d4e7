package session

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Used returns who the sessions belong to that were used at this node within a
// time, or have streams. It does no I/O.
func (m *Manager) Used(within time.Duration) []*identity.Identity {
	var used []*identity.Identity
	now := m.clock()
	for _, e := range m.table.all() {
		if e.pinned.Load() || now-time.Duration(e.used.Load()) < within {
			used = append(used, e.who.Load())
		}
	}
	return used
}

// Reclaim gives all live sessions of a subject that came from a provider the
// claims that the provider has now, and has every node look at them again: at
// once by announcement, else at the next revalidation. It returns how many
// changed. How and when each of them signed in stays as it was.
// Error: [ErrUnavailable]; it may be called again.
func (m *Manager) Reclaim(ctx context.Context, subject string, now identity.Claims) (int, error) {
	changed := 0
	query := tokenstore.SessionQuery{Subject: subject, Limit: 500}
	for row, err := range m.each(ctx, query) {
		if err != nil {
			return changed, err
		}
		did, err := m.reclaimOne(ctx, row, now)
		if err != nil {
			return changed, err
		}
		if did {
			changed++
		}
	}
	if changed > 0 {
		m.Announce(ctx, cache.Announcement{Subjects: []string{subject}})
	}
	return changed, nil
}

func (m *Manager) reclaimOne(ctx context.Context, row tokenstore.Session, now identity.Claims) (bool, error) {
	was, err := m.openSealed(row)
	if err != nil || was.Issuer != now.Issuer || was.ID != now.ID {
		return false, nil //nolint:nilerr // of another provider, or not to be read
	}
	next := was
	next.User, next.Email, next.EmailVerified, next.Name = now.User, now.Email, now.EmailVerified, now.Name
	next.DomainUnverified = now.DomainUnverified
	next.Groups, next.Unread, next.Extra = now.Groups, now.Unread, now.Extra
	next.GroupsLeft, next.GroupsJudged = now.GroupsLeft, now.GroupsJudged
	if equalClaims(&was.Claims, &next.Claims) {
		return false, nil
	}
	sealed, err := m.sealClaims(row.ID, next)
	if err != nil {
		return false, err
	}
	err = m.store.ReplaceClaims(ctx, row.ID, sealed)
	m.heard(ctx, err)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return false, nil // it has just ended
	}
	if err != nil {
		return false, unavailable(err)
	}
	return true, nil
}
