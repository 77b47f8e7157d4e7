package storetest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// outcome is how the contract judges a presentation.
type outcome int

const (
	refused outcome = iota
	rotated
	retried
	reused
)

// judge is the contract of Rotate, in its order.
func (m *model) judge(s *modelSession, r tokenstore.Rotation, right bool) (outcome, error) {
	switch {
	case !right:
		return refused, tokenstore.ErrMismatch
	case m.err(s) != nil:
		return refused, m.err(s)
	case r.Generation >= s.generation:
		return rotated, nil
	case r.Generation+1 == s.generation && m.now < s.rotated+r.Grace:
		return retried, nil
	}
	return reused, tokenstore.ErrReused
}

func (m *model) rotate() {
	s := m.pick("rotated")
	if s == nil {
		return
	}
	// Mostly the current generation, or the one before it.
	behind := rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 1, 1, 1, 2, -1, -3}).Draw(m.T, "behind")
	r := tokenstore.Rotation{
		ID:            s.id,
		Generation:    uint32(max(0, int(s.generation)-behind)),
		SecretHash:    hash("secret"),
		ClientID:      s.client,
		Grace:         rapid.SampledFrom([]time.Duration{0, grace, grace}).Draw(m.T, "grace"),
		RevokeSubject: rapid.Bool().Draw(m.T, "revoke subject"),
	}
	right := true
	switch rapid.IntRange(0, 19).Draw(m.T, "wrong") {
	case 0:
		r.SecretHash, right = hash("guessed"), false
	case 1:
		r.ClientID, right = "mallory", false
	case 2:
		r.Cnf, right = "key", false
	}
	what, want := m.judge(s, r, right)
	got, err := m.store.Rotate(m.ctx, r)
	if !isAny(err, want) {
		m.Fatalf("rotating generation %d of %+v: got error %v, want %v", r.Generation, s, err, want)
	}
	switch what {
	case rotated:
		s.generation, s.rotated = r.Generation+1, m.now
		s.before[got.Session.RotatedAt.UnixMicro()] = m.now
		m.rotations = append(m.rotations, got)
	case reused:
		which := family(s.id)
		if r.RevokeSubject {
			which = func(o *modelSession) bool { return o.subject == s.subject }
		}
		m.sameIDs("revoked by reuse", got.Reused, m.revoke(which))
	case refused, retried:
		// Nothing changes.
	}
	if err == nil && (got.Retry != (what == retried) || got.Session.Generation != s.generation) {
		m.Fatalf("rotating gave generation %d, retry %v; want %d, %v", got.Session.Generation, got.Retry, s.generation, what == retried)
	}
	m.check(s)
}

func (m *model) unrotate() {
	if len(m.rotations) == 0 {
		return
	}
	// The last one mostly, since others have moved on.
	i := len(m.rotations) - 1
	if rapid.IntRange(0, 3).Draw(m.T, "stale") == 0 {
		i = rapid.IntRange(0, i).Draw(m.T, "rotation")
	}
	r := m.rotations[i]
	s := m.find(r.Session.ID)
	err := m.store.UnrotateSession(m.ctx, r.Session.ID, r.Session.Generation, r.PreviousRotatedAt)
	if s.revoked || s.generation != r.Session.Generation {
		m.wantAny("putting back a rotation that is over", err, tokenstore.ErrConflict)
	} else {
		m.ok("putting back a rotation", err)
		before, known := s.before[r.PreviousRotatedAt.UnixMicro()]
		if !known {
			m.Fatalf("rotation gave %v as the time of the one before, which was never answered", r.PreviousRotatedAt)
		}
		s.generation--
		s.rotated = before
	}
	m.check(s)
}
