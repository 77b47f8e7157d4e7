package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var modelTests = []test{
	{name: "10,000 random steps against a simple model", run: testModel},
}

// modelSteps is how many steps one history has; rapid makes 100 histories, a
// fifth of that with -short.
const modelSteps = 100

// The clock is only ever moved by whole minutes, and all that can expire does
// so half a minute past one. So the model need not know how long the calls
// took, as long as a history takes less than half a minute.
var (
	modelMoves     = []time.Duration{time.Minute, 20 * time.Minute, time.Hour, 3 * time.Hour}
	modelIdles     = []time.Duration{time.Hour + 30*time.Second, 5*time.Hour + 30*time.Second}
	modelLifetimes = []time.Duration{2*time.Hour + 30*time.Second, 12*time.Hour + 30*time.Second}
	modelClients   = []string{"app", "other"}
)

// model is what the store should hold of one history.
type model struct {
	*rapid.T
	ctx     context.Context
	store   tokenstore.Store
	advance func(time.Duration)
	prefix  string // of all names, since the histories share one store
	now     time.Duration

	identities map[string]string // identity to subject
	suspended  map[string]bool   // subjects that exist
	subjects   []string          // in the order of creation
	sessions   []*modelSession   // in the order of creation
	rotations  []tokenstore.RotationResult
	tokens     map[string]*modelToken // by provider
}

// modelSession is a session; times are since the history's start.
type modelSession struct {
	id, parent      uuid.UUID
	subject, client string
	generation      uint32
	rotated, seen   time.Duration
	idle, expires   time.Duration
	revoked         bool
	before          map[int64]time.Duration // RotatedAt as answered, in microseconds, to the model's
}

func testModel(e *env) {
	rapid.Check(e.T, func(t *rapid.T) {
		m := &model{
			T: t, ctx: e.ctx, store: e.Store, advance: e.advance, prefix: e.id().String(),
			identities: make(map[string]string), suspended: make(map[string]bool), tokens: make(map[string]*modelToken),
		}
		steps := map[string]func(){
			"move clock":     m.moveClock,
			"sign in":        m.signIn,
			"create session": m.createSession,
			"rotate":         m.rotate,
			"rotate again":   m.rotate, // likelier than the rest
			"unrotate":       m.unrotate,
			"revoke session": m.revokeSession,
			"revoke subject": m.revokeSubject,
			"revoke again":   m.revokeAgain,
			"suspend":        m.suspend,
			"revalidate":     m.revalidate,
			"list":           m.list,
			"store token":    m.storeToken,
			"update token":   m.updateToken,
			"delete tokens":  m.deleteTokens,
			"list tokens":    m.listTokens,
		}
		names := make([]string, 0, len(steps))
		for name := range steps {
			names = append(names, name)
		}
		slices.Sort(names)
		for range modelSteps {
			steps[rapid.SampledFrom(names).Draw(t, "step")]()
		}
		for _, s := range m.sessions {
			m.check(s)
		}
		m.checkTokens()
	})
}

func (m *model) ok(doing string, err error) {
	m.Helper()
	if err != nil {
		m.Fatalf("%s: %v", doing, err)
	}
}

// wantAny fails unless err is one of those wanted; with none, unless it is nil.
// It reports whether the call was to succeed.
func (m *model) wantAny(doing string, err error, wanted ...error) bool {
	m.Helper()
	if len(wanted) == 0 {
		m.ok(doing, err)
		return true
	}
	if !isAny(err, wanted...) {
		m.Fatalf("%s: got error %v, want one of %v", doing, err, wanted)
	}
	return false
}

func (m *model) newID() uuid.UUID {
	id, err := uuid.NewV7()
	m.ok("making an id", err)
	return id
}

func (m *model) moveClock() {
	d := rapid.SampledFrom(modelMoves).Draw(m.T, "clock")
	m.advance(d)
	m.now += d
}

// pick draws one of the history's sessions, or nil for none.
func (m *model) pick(label string) *modelSession {
	if len(m.sessions) == 0 {
		return nil
	}
	return rapid.SampledFrom(m.sessions).Draw(m.T, label)
}

// pickSubject draws a subject that exists, or one that does not.
func (m *model) pickSubject() string {
	return rapid.SampledFrom(append([]string{m.prefix + "nobody"}, m.subjects...)).Draw(m.T, "subject")
}

func (m *model) find(id uuid.UUID) *modelSession {
	for _, s := range m.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// err is why a session is not live.
func (m *model) err(s *modelSession) error {
	switch {
	case s.revoked:
		return tokenstore.ErrRevoked
	case m.now >= min(s.expires, max(s.rotated, s.seen)+s.idle):
		return tokenstore.ErrExpired
	case m.suspended[s.subject]:
		return tokenstore.ErrSuspended
	}
	return nil
}

// check compares a session with its row.
func (m *model) check(s *modelSession) {
	m.Helper()
	got, err := m.store.Session(m.ctx, s.id)
	m.ok("reading a session", err)
	if got.Generation != s.generation || got.RevokedAt.IsZero() == s.revoked || got.Subject != s.subject ||
		got.ClientID != s.client || got.Parent != s.parent || !isAny(got.Err(), m.err(s)) {
		m.Fatalf("session is %+v (%v), want %+v (%v)", got, got.Err(), s, m.err(s))
	}
	if moved := got.RotatedAt.Sub(got.SeenAt); (moved > 30*time.Second) != (s.rotated > s.seen) {
		m.Fatalf("session was rotated at %v and seen at %v, want %v and %v", got.RotatedAt, got.SeenAt, s.rotated, s.seen)
	}
}

// revoke revokes sessions in the model and returns those that were not.
func (m *model) revoke(which func(*modelSession) bool) []uuid.UUID {
	var ids []uuid.UUID
	for _, s := range m.sessions {
		if which(s) && !s.revoked {
			s.revoked = true
			ids = append(ids, s.id)
		}
	}
	return ids
}

// family selects a session and its children.
func family(id uuid.UUID) func(*modelSession) bool {
	return func(s *modelSession) bool { return s.id == id || s.parent == id }
}

// sameIDs fails unless two lists hold the same ids.
func (m *model) sameIDs(doing string, got, want []uuid.UUID) {
	m.Helper()
	byBytes := func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
	got, want = slices.SortedFunc(slices.Values(got), byBytes), slices.SortedFunc(slices.Values(want), byBytes)
	if !slices.Equal(got, want) {
		m.Fatalf("%s: got %v, want %v", doing, got, want)
	}
}
