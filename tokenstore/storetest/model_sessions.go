package storetest

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// drawSession draws a session to be created: of a new id or a taken one, with
// a parent of that subject, a missing one or none. It returns the answers that
// the contract gives besides those about the subject.
func (m *model) drawSession(subject string) (tokenstore.NewSession, []error) {
	n := tokenstore.NewSession{
		ID:         m.newID(),
		Subject:    subject,
		ClientID:   rapid.SampledFrom(modelClients).Draw(m.T, "client"),
		SecretHash: hash("secret"),
		Idle:       rapid.SampledFrom(modelIdles).Draw(m.T, "idle"),
		Lifetime:   rapid.SampledFrom(modelLifetimes).Draw(m.T, "lifetime"),
	}
	var wanted []error
	if s := m.pick("taken id"); s != nil && rapid.IntRange(0, 9).Draw(m.T, "replay") == 0 {
		n.ID = s.id
		wanted = append(wanted, tokenstore.ErrExists)
	}
	switch rapid.IntRange(0, 5).Draw(m.T, "parent") {
	case 0:
		n.Parent = m.newID()
		wanted = append(wanted, tokenstore.ErrRevoked)
	case 1, 2, 3:
		if p := m.pick("parent"); p != nil && p.subject == subject && p.parent == uuid.Nil {
			n.Parent = p.id
			if m.err(p) != nil {
				wanted = append(wanted, tokenstore.ErrRevoked)
			}
		}
	}
	return n, wanted
}

// created adds a session that the store created.
func (m *model) created(n tokenstore.NewSession, got tokenstore.Session) {
	if n.Detached {
		n.Parent = uuid.Nil
	}
	s := &modelSession{
		id: n.ID, parent: n.Parent, subject: n.Subject, client: n.ClientID,
		rotated: m.now, seen: m.now, idle: n.Idle, expires: m.now + n.Lifetime,
		before: map[int64]time.Duration{got.RotatedAt.UnixMicro(): m.now},
	}
	if p := m.find(n.Parent); p != nil {
		s.expires = min(s.expires, p.expires)
	}
	m.sessions = append(m.sessions, s)
	m.check(s)
}

func (m *model) createSession() {
	subject := m.pickSubject()
	n, wanted := m.drawSession(subject)
	n.Detached = n.Parent != uuid.Nil && rapid.IntRange(0, 3).Draw(m.T, "detached") == 0
	suspended, exists := m.suspended[subject]
	if !exists {
		wanted = append(wanted, tokenstore.ErrNotFound)
	}
	if suspended {
		wanted = append(wanted, tokenstore.ErrSuspended)
	}
	got, err := m.store.CreateSession(m.ctx, n)
	if m.wantAny("creating a session", err, wanted...) {
		m.created(n, got)
	}
}

func (m *model) signIn() {
	who := m.prefix + rapid.SampledFrom([]string{"ann", "bob", "eve"}).Draw(m.T, "identity")
	in := tokenstore.SignIn{Identity: identity(who), NewSubject: m.newID().String()}
	subject, known := m.identities[who]
	if !known {
		subject = in.NewSubject
	}
	var wanted []error
	withSession := rapid.Bool().Draw(m.T, "with session")
	if withSession {
		in.Session, wanted = m.drawSession(subject)
	}
	if m.suspended[subject] {
		wanted = append(wanted, tokenstore.ErrSuspended)
	}
	got, err := m.store.SignIn(m.ctx, in)
	if !m.wantAny("signing in", err, wanted...) {
		return
	}
	if got.Subject != subject {
		m.Fatalf("signed in as %s, want %s", got.Subject, subject)
	}
	if !known {
		m.identities[who] = subject
		m.suspended[subject] = false
		m.subjects = append(m.subjects, subject)
	}
	if withSession {
		m.created(in.Session, got)
	}
}

func (m *model) suspend() {
	subject := m.pickSubject()
	yes := rapid.Bool().Draw(m.T, "suspended")
	err := m.store.Suspend(m.ctx, subject, yes)
	if _, exists := m.suspended[subject]; !exists {
		m.wantAny("suspending nobody", err, tokenstore.ErrNotFound)
		return
	}
	m.ok("suspending", err)
	m.suspended[subject] = yes
}

func (m *model) revokeSession() {
	s := m.pick("revoked")
	if s == nil || rapid.IntRange(0, 2).Draw(m.T, "really") > 0 {
		return
	}
	got, err := m.store.RevokeSession(m.ctx, s.id)
	m.ok("revoking a session", err)
	m.sameIDs("revoked with a session", got, m.revoke(family(s.id)))
}

func (m *model) revokeSubject() {
	if rapid.IntRange(0, 4).Draw(m.T, "really") > 0 {
		return
	}
	subject := m.pickSubject()
	got, err := m.store.RevokeSubject(m.ctx, subject)
	m.ok("revoking a subject's sessions", err)
	m.sameIDs("revoked of a subject", got, m.revoke(func(s *modelSession) bool { return s.subject == subject }))
}

func (m *model) revokeAgain() {
	s := m.pick("revoked again")
	if s == nil || rapid.IntRange(0, 2).Draw(m.T, "really") > 0 {
		return
	}
	m.ok("revoking again", m.store.RevokeAgain(m.ctx, []uuid.UUID{s.id, m.newID()}))
	m.revoke(family(s.id))
}

func (m *model) revalidate() {
	var all, touch []uuid.UUID
	for _, s := range m.sessions {
		all = append(all, s.id)
		if rapid.IntRange(0, 3).Draw(m.T, "touch") == 0 {
			touch = append(touch, s.id)
			if m.err(s) == nil {
				s.seen = m.now
			}
		}
	}
	states, now, err := m.store.Revalidate(m.ctx, all, touch)
	m.ok("revalidating", err)
	if len(states) != len(all) {
		m.Fatalf("revalidating %d sessions gave %d states", len(all), len(states))
	}
	for _, st := range states {
		s := m.find(st.ID)
		ended := m.now >= min(s.expires, max(s.rotated, s.seen)+s.idle)
		if st.RevokedAt.IsZero() == s.revoked || st.Suspended != m.suspended[s.subject] || now.Before(st.EndsAt) == ended {
			m.Fatalf("state is %+v at %v, want that of %+v", st, now, s)
		}
	}
}

func (m *model) list() {
	subject := m.pickSubject()
	all := rapid.Bool().Draw(m.T, "all")
	var want []uuid.UUID
	for _, s := range m.sessions {
		if s.subject == subject && (all || m.err(s) == nil) {
			want = append(want, s.id)
		}
	}
	slices.SortFunc(want, func(a, b uuid.UUID) int { return slices.Compare(b[:], a[:]) })
	var got []uuid.UUID
	q := tokenstore.SessionQuery{Subject: subject, All: all, Limit: rapid.IntRange(1, 20).Draw(m.T, "limit")}
	for range len(m.sessions) + 1 {
		page, err := m.store.ListSessions(m.ctx, q)
		m.ok("listing", err)
		got = append(got, ids(page...)...)
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	if !slices.Equal(got, want) {
		m.Fatalf("listed %v, want %v", got, want)
	}
}
