package flows

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// awaySessions are how many of a person's sessions are looked at, the newest first, for
// who they are.
const awaySessions = 50

// awayFor is how long what was last known of a person counts without their signing in.
const awayFor = 90 * 24 * time.Hour

// noteEvery is how old what is kept of a person may be before it is kept anew.
const noteEvery = 24 * time.Hour

// lastSeen is who a person was, and when that was known.
type lastSeen struct {
	identity.Claims
	// SeenAt is missing where it was written before 2026-12: it was when the person
	// allowed it.
	SeenAt time.Time `json:"seen_at,omitzero"`
}

func (s lastSeen) account() tokenstore.Identity {
	return tokenstore.Identity{Issuer: s.Issuer, Subject: s.ID}
}

// seen is what a person's sessions say of them.
type seen struct {
	linked []tokenstore.Identity
	// live are who they are now.
	live []*identity.Identity
	// last is who they were, by their account, in the session that was in use last.
	last map[tokenstore.Identity]lastSeen
}

// seenOf looks at a person's newest live sessions, and where no account has one, at the
// newest of all: many that have ended must not hide one that lives. An account that is
// linked no more says nothing of them.
func (g *Gateway) seenOf(ctx context.Context, subject string) (seen, error) {
	s := seen{last: make(map[tokenstore.Identity]lastSeen)}
	var err error
	if s.linked, err = g.Store.Identities(ctx, subject); err != nil {
		return s, err
	}
	for _, all := range []bool{false, true} {
		rows, err := g.Store.ListSessions(ctx, tokenstore.SessionQuery{Subject: subject, All: all, Limit: awaySessions})
		if err != nil {
			return s, err
		}
		g.addSeen(&s, rows)
		if len(s.live) > 0 {
			break
		}
	}
	return s, nil
}

func (g *Gateway) addSeen(s *seen, rows []tokenstore.Session) {
	for _, row := range rows {
		claims, err := g.Sessions.Claims(row)
		was := lastSeen{claims, row.CreatedAt}
		if row.SeenAt.After(was.SeenAt) {
			was.SeenAt = row.SeenAt
		}
		if err != nil || !slices.Contains(s.linked, was.account()) {
			continue
		}
		if row.Err() == nil {
			s.live = append(s.live, &identity.Identity{Claims: claims, Subject: row.Subject, SessionID: row.ID})
		}
		if s.last[was.account()].SeenAt.Before(was.SeenAt) {
			s.last[was.account()] = was
		}
	}
}

// actsAs is the person as whom the client may act: as a live session of theirs has them
// now, else as they were last. Nil if the rules refuse all of these, or nobody has
// allowed it. The person's own page and each delivery go by it.
func (g *Gateway) actsAs(ctx context.Context, c *client.Client, s seen, row tokenstore.Delegation) *identity.Identity {
	for _, id := range s.live {
		if g.mayActAs(c, id, row) {
			return id
		}
	}
	if len(s.live) > 0 || row.AllowedAt.IsZero() {
		return nil
	}
	was, ok := g.openDelegation(ctx, row)
	if !ok || !slices.Contains(s.linked, was.account()) {
		return nil
	}
	if later := s.last[was.account()]; later.SeenAt.After(was.SeenAt) {
		was = later
	}
	claims, err := g.Sessions.Judge(was.Claims)
	if err != nil || g.Now().Sub(was.SeenAt) > awayFor {
		return nil
	}
	id := &identity.Identity{Claims: claims, Subject: row.Subject}
	if !g.mayActAs(c, id, row) {
		return nil
	}
	return id
}

const delegationLabel = "delegation"

func delegationPlace(subject, clientID, issuer string) []byte {
	return marshal([]string{"delegation", subject, clientID, issuer})
}

// sealDelegation is what a permission keeps of who gave it.
func (g *Gateway) sealDelegation(row tokenstore.Delegation, who lastSeen) []byte {
	return g.Keyring.Seal(delegationLabel, delegationPlace(row.Subject, row.ClientID, row.Provider), marshal(who))
}

// openDelegation is who the person was when they allowed it, or were last seen. What
// cannot be read allows nothing.
func (g *Gateway) openDelegation(ctx context.Context, row tokenstore.Delegation) (who lastSeen, ok bool) {
	plain, err := g.Keyring.Open(delegationLabel, delegationPlace(row.Subject, row.ClientID, row.Provider), row.Claims)
	if err == nil {
		err = json.Unmarshal(plain, &who)
	}
	if err != nil {
		g.Logger.WarnContext(ctx, "a permission to act for a person cannot be unsealed and is ignored; they can give it again on their own page",
			"client_id", row.ClientID, "subject", row.Subject, "error", err)
		return lastSeen{}, false
	}
	if who.SeenAt.IsZero() {
		who.SeenAt = row.AllowedAt
	}
	return who, true
}

// noteSeen keeps who the person was last, whether the rules let the client act or not:
// what they have lost since does not come back when their sessions have ended and gone.
func (g *Gateway) noteSeen(ctx context.Context, s seen, row tokenstore.Delegation) {
	if row.AllowedAt.IsZero() {
		return
	}
	was, ok := g.openDelegation(ctx, row)
	later, known := s.last[was.account()]
	if !ok || !known || !later.SeenAt.After(was.SeenAt) ||
		later.SeenAt.Sub(was.SeenAt) < noteEvery && bytes.Equal(marshal(later.Claims), marshal(was.Claims)) {
		return
	}
	row.Claims = g.sealDelegation(row, later)
	if err := g.Store.SetDelegationClaims(ctx, row); err != nil {
		g.Logger.WarnContext(ctx, "who a person is now could not be kept with their permission", "client_id", row.ClientID, "subject", row.Subject, "error", err)
	}
}
