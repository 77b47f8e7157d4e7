package storetest

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var sessionTests = []test{
	{name: "every field comes back", run: testSessionFields},
	{name: "unknown", run: testSessionUnknown},
	{name: "replayed", run: testSessionReplay},
	{name: "a retry takes over what a lost attempt created", run: testSessionRetry},
	{name: "a retry takes over nothing that has ended", run: testSessionRetryEnded},
	{name: "retries of one lost attempt at once", run: testSessionRetryRace, races: true},
	{name: "two creations of one id at once", run: testSessionReplayRace, races: true},
	{name: "below a live parent", run: testSessionParent},
	{name: "below a parent that ended", run: testSessionParentEnded},
	{name: "detached from a live parent", run: testSessionDetached},
	{name: "idle expiry", run: testIdleExpiry},
	{name: "absolute expiry", run: testAbsoluteExpiry},
	{name: "user agent is cut between characters", run: testUserAgent},
	{name: "status of a refresh token", run: testRefreshStatus},
}

func testSessionFields(e *env) {
	id := e.subject("ann")
	parent := e.session(id)
	n := tokenstore.NewSession{
		ID:         e.id(),
		Parent:     parent.ID,
		Subject:    id,
		ClientID:   "https://app.example/?a=b&c=%00",
		Scope:      "openid \"e-mail\" ünï",
		Resource:   []string{"https://a.example/<x>", "", `with "quotes", and {braces}`, "back\\slash"},
		Claims:     []byte{0, 1, 0xff, 0, '\\'},
		SecretHash: hash("other"),
		Cnf:        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
		AuthTime:   e.now().Add(-time.Hour).Truncate(time.Second),
		ACR:        "urn:mace:incommon:iap:silver",
		AMR:        []string{"pwd", "otp"},
		Provider:   "staff",
		UserAgent:  "Mozilla/5.0 ('; DROP TABLE session; --)",
		Idle:       90 * time.Minute,
		Lifetime:   5 * time.Hour,
	}
	got, err := e.CreateSession(e.ctx, n)
	e.ok(err)
	now := e.now()
	e.near("rotated at", got.RotatedAt, now)
	e.near("seen at", got.SeenAt, now)
	e.near("absolute end", got.ExpiresAt, now.Add(5*time.Hour))
	e.near("store's clock", got.Now, now)
	sec, nsec := n.ID.Time().UnixTime()
	e.same("session", got, tokenstore.Session{
		ID: n.ID, Parent: n.Parent, Subject: n.Subject, ClientID: n.ClientID, Scope: n.Scope, Resource: n.Resource,
		Claims: n.Claims, SecretHash: n.SecretHash, Cnf: n.Cnf, AuthTime: n.AuthTime, ACR: n.ACR, AMR: n.AMR,
		Provider: n.Provider, UserAgent: n.UserAgent,
		CreatedAt: time.Unix(sec, nsec).UTC(), RotatedAt: got.RotatedAt, SeenAt: got.SeenAt,
		Idle: n.Idle, ExpiresAt: got.ExpiresAt, Now: got.Now,
	})
	e.same("session as read", withoutNow(e.load(n.ID)), withoutNow(got))
	if got.RotatedAt.Location() != time.UTC {
		e.Errorf("times are in %v, want UTC", got.RotatedAt.Location())
	}

	// The least that a session may say.
	bare := tokenstore.NewSession{ID: e.id(), Subject: id, ClientID: "c", SecretHash: hash("s"), Idle: idle, Lifetime: lifetime}
	_, err = e.CreateSession(e.ctx, bare)
	e.ok(err)
	got = e.load(bare.ID)
	e.same("empty fields", []any{got.Parent, got.Scope, len(got.Resource), len(got.Claims), got.AuthTime, len(got.AMR)},
		[]any{uuid.Nil, "", 0, 0, time.Time{}, 0})
}

func testSessionUnknown(e *env) {
	_, err := e.Session(e.ctx, e.id())
	e.want("Session of an unknown id", err, tokenstore.ErrNotFound)
	n := e.newSession("nobody")
	_, err = e.CreateSession(e.ctx, n)
	e.want("CreateSession of nobody", err, tokenstore.ErrNotFound)
	_, err = e.Session(e.ctx, n.ID)
	e.want("Session after that", err, tokenstore.ErrNotFound)
}

func testSessionReplay(e *env) {
	id, other := e.subject("ann"), e.subject("bob")
	s := e.session(id)
	n := e.newSession(other)
	n.ID, n.Scope, n.SecretHash = s.ID, "wider", hash("mine")
	e.unchanged(s.ID, func() {
		_, err := e.CreateSession(e.ctx, n)
		e.want("CreateSession with a taken id", err, tokenstore.ErrExists)
	})
	// A replay is one even after the session ended.
	_, err := e.RevokeSession(e.ctx, s.ID)
	e.ok(err)
	_, err = e.CreateSession(e.ctx, n)
	e.want("CreateSession with a revoked session's id", err, tokenstore.ErrExists)
	e.dead(s.ID, tokenstore.ErrRevoked)
}

// testSessionRetry: an attempt whose answer was lost may have created the row. A
// retry that knows its secret's hash takes it over, once, and nobody else does.
func testSessionRetry(e *env) {
	id := e.subject("ann")
	parent := e.session(id)
	for _, change := range []func(*tokenstore.NewSession){childOf(parent.ID), detached, func(*tokenstore.NewSession) {}} {
		lost := e.newSession(id)
		change(&lost)
		if lost.Detached {
			lost.Parent = parent.ID
		}
		lost.SecretHash = hash("lost")
		_, err := e.CreateSession(e.ctx, lost)
		e.ok(err)
		retry := lost
		retry.SecretHash, retry.Cnf, retry.Claims = hash("retry"), "key", []byte("claims")
		for what, other := range map[string]tokenstore.NewSession{
			"without a word of it": retry,
			"of another attempt":   replacing(retry, hash("another"), nil),
			"of another client": func() tokenstore.NewSession {
				n := replacing(retry, hash("lost"))
				n.ClientID = "another"
				return n
			}(),
			"of another subject": func() tokenstore.NewSession {
				n := replacing(retry, hash("lost"))
				n.Subject, n.Parent, n.Detached = e.subject("bob"), uuid.Nil, false
				return n
			}(),
		} {
			e.unchanged(lost.ID, func() {
				_, err := e.CreateSession(e.ctx, other)
				e.want("retry "+what, err, tokenstore.ErrExists)
			})
		}
		retry = replacing(retry, hash("unsent"), hash("lost"))
		got, err := e.CreateSession(e.ctx, retry)
		e.ok(err)
		e.same("session as read", withoutNow(e.load(lost.ID)), withoutNow(got))
		e.same("secret", got.SecretHash, hash("retry"))
		e.same("key", got.Cnf, "key")
		e.same("claims", got.Claims, []byte("claims"))
		e.live(lost.ID)
		e.unchanged(lost.ID, func() {
			retry.SecretHash = hash("second retry")
			_, err := e.CreateSession(e.ctx, retry)
			e.want("second retry", err, tokenstore.ErrExists)
		})
	}
}

func testSessionRetryEnded(e *env) {
	lost := e.newSession(e.subject("ann"))
	lost.SecretHash = hash("lost")
	_, err := e.CreateSession(e.ctx, lost)
	e.ok(err)
	_, err = e.RevokeSession(e.ctx, lost.ID)
	e.ok(err)
	_, err = e.CreateSession(e.ctx, replacing(lost, hash("lost")))
	e.want("retry of a revoked session", err, tokenstore.ErrExists)
	many := e.newSession(e.subject("ann"))
	many.Replaces = make([][]byte, tokenstore.MaxReplaces+1)
	_, err = e.CreateSession(e.ctx, many)
	e.want("too many lost attempts", err, tokenstore.ErrInvalid)
}

func testSessionRetryRace(e *env) {
	id := e.subject("ann")
	for range e.rounds(50, 10) {
		lost := e.newSession(id)
		lost.SecretHash = hash("lost")
		_, err := e.CreateSession(e.ctx, lost)
		e.ok(err)
		errs := make([]error, 8)
		inStep(len(errs), func(i int) {
			n := replacing(lost, hash("lost"))
			n.SecretHash = hash(string(rune('a' + i)))
			_, errs[i] = e.node(i).CreateSession(e.ctx, n)
		})
		e.oneWon("retry", errs, tokenstore.ErrExists)
	}
}

func replacing(n tokenstore.NewSession, hashes ...[]byte) tokenstore.NewSession {
	n.Replaces = hashes
	return n
}

func testSessionReplayRace(e *env) {
	id := e.subject("ann")
	for range e.rounds(100, 20) {
		n := e.newSession(id)
		errs := make([]error, 8)
		inStep(len(errs), func(i int) { _, errs[i] = e.node(i).CreateSession(e.ctx, n) })
		e.oneWon("CreateSession", errs, tokenstore.ErrExists)
	}
}

func testSessionParent(e *env) {
	id := e.subject("ann")
	parent := e.session(id, lasting(idle, 2*time.Hour))
	long := e.session(id, childOf(parent.ID), lasting(idle, 10*time.Hour))
	if !long.ExpiresAt.Equal(parent.ExpiresAt) {
		e.Errorf("child ends at %v, want its parent's end %v", long.ExpiresAt, parent.ExpiresAt)
	}
	short := e.session(id, childOf(parent.ID), lasting(idle, time.Hour))
	e.near("end of a short child", short.ExpiresAt, short.Now.Add(time.Hour))
}

func testSessionParentEnded(e *env) {
	id := e.subject("ann")
	refused := func(what string, parent uuid.UUID) {
		e.Helper()
		for _, below := range []string{"below ", "detached from "} {
			n := e.newSession(id)
			n.Parent, n.Detached = parent, below == "detached from "
			_, err := e.CreateSession(e.ctx, n)
			e.want("CreateSession "+below+what, err, tokenstore.ErrRevoked)
			_, err = e.Session(e.ctx, n.ID)
			e.want("Session after that", err, tokenstore.ErrNotFound)
		}
	}
	refused("a missing parent", e.id())
	refused("another subject's parent", e.session(e.subject("bob")).ID)
	revoked := e.session(id)
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	refused("a revoked parent", revoked.ID)
	unused := e.session(id, lasting(time.Minute, 10*time.Hour))
	over := e.session(id, lasting(10*time.Hour, time.Minute))
	e.advance(2 * time.Minute)
	refused("an idle parent", unused.ID)
	refused("an expired parent", over.ID)
}

// testSessionDetached: a detached session needs its parent to begin, and for
// nothing else.
func testSessionDetached(e *env) {
	id := e.subject("ann")
	parent := e.session(id, lasting(idle, 2*time.Hour))
	s := e.session(id, childOf(parent.ID), detached, lasting(idle, 10*time.Hour))
	e.same("session as read", withoutNow(e.load(s.ID)), withoutNow(s))
	e.same("stored parent", s.Parent, uuid.Nil)
	e.near("end", s.ExpiresAt, s.Now.Add(10*time.Hour))
	revoked, err := e.RevokeSession(e.ctx, parent.ID)
	e.ok(err)
	e.sameIDs("revoked with the parent", revoked, ids(parent))
	e.live(s.ID)

	again := e.newSession(id)
	again.ID, again.Parent, again.Detached = s.ID, parent.ID, true
	_, err = e.CreateSession(e.ctx, again)
	e.want("CreateSession with a taken id", err, tokenstore.ErrExists)
	again.ID, again.Parent = e.id(), uuid.Nil
	_, err = e.CreateSession(e.ctx, again)
	e.want("CreateSession detached from nothing", err, tokenstore.ErrInvalid)
	again.Parent = e.session(id).ID
	_, err = e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: id, Session: again})
	e.want("SignIn with a detached session", err, tokenstore.ErrInvalid)
}

func testIdleExpiry(e *env) {
	s := e.session(e.subject("ann"), lasting(time.Hour, 10*time.Hour))
	e.near("idle end", s.IdleAt(), s.Now.Add(time.Hour))
	e.advance(50 * time.Minute)
	e.live(s.ID)
	e.rotate(s, 0) // prolongs it
	e.advance(50 * time.Minute)
	e.live(s.ID)
	e.advance(20 * time.Minute)
	e.dead(s.ID, tokenstore.ErrExpired)
	e.unchanged(s.ID, func() {
		_, err := e.Rotate(e.ctx, presented(s, 1))
		e.want("Rotate of an idle session", err, tokenstore.ErrExpired)
		_, _, err = e.Revalidate(e.ctx, ids(s), ids(s))
		e.ok(err)
	})
}

func testAbsoluteExpiry(e *env) {
	s := e.session(e.subject("ann"), lasting(time.Hour, 2*time.Hour))
	for generation := range uint32(3) {
		e.advance(35 * time.Minute)
		r := e.rotate(s, generation)
		if !r.Session.ExpiresAt.Equal(s.ExpiresAt) {
			e.Errorf("rotation moved the absolute end from %v to %v", s.ExpiresAt, r.Session.ExpiresAt)
		}
	}
	e.near("end", e.load(s.ID).EndsAt(), s.ExpiresAt)
	e.advance(20 * time.Minute) // 2:05 in all, 20 minutes after the last use
	e.dead(s.ID, tokenstore.ErrExpired)
	_, err := e.Rotate(e.ctx, presented(s, 3))
	e.want("Rotate after the absolute end", err, tokenstore.ErrExpired)
}

func testUserAgent(e *env) {
	id := e.subject("ann")
	for _, char := range []string{"x", "é", "€", "😀"} {
		agent := "a" + strings.Repeat(char, tokenstore.MaxUserAgent)
		s := e.session(id, func(n *tokenstore.NewSession) { n.UserAgent = agent })
		got := e.load(s.ID).UserAgent
		if len(got) > tokenstore.MaxUserAgent || len(got) <= tokenstore.MaxUserAgent-utf8.UTFMax {
			e.Errorf("user agent has %d bytes, want about %d", len(got), tokenstore.MaxUserAgent)
		}
		if !utf8.ValidString(got) || !strings.HasPrefix(agent, got) {
			e.Errorf("user agent was cut to %q", got)
		}
	}
	limit := func(n *tokenstore.NewSession) {
		n.Scope = strings.Repeat("s", tokenstore.MaxScope)
		n.ClientID = strings.Repeat("c", tokenstore.MaxClientID)
		n.Claims = bytes.Repeat([]byte{7}, tokenstore.MaxClaims)
	}
	s := e.session(id, limit)
	e.same("session at all limits", withoutNow(e.load(s.ID)), withoutNow(s))
	e.same("claims", len(s.Claims), tokenstore.MaxClaims)
}

func testRefreshStatus(e *env) {
	s := e.session(e.subject("ann"))
	e.same("current", e.load(s.ID).RefreshStatus(0), tokenstore.RefreshCreated)
	e.rotate(s, 0)
	e.same("older", e.load(s.ID).RefreshStatus(0), tokenstore.RefreshRevoked)
	e.same("current", e.load(s.ID).RefreshStatus(1), tokenstore.RefreshCreated)
	_, err := e.RevokeSession(e.ctx, s.ID)
	e.ok(err)
	e.same("current of a revoked session", e.load(s.ID).RefreshStatus(1), tokenstore.RefreshRevoked)
}
