package storetest

import (
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// odd are strings that something on the way might change.
var odd = []string{
	" leading and trailing ", "Case", "case", "e\u0301", "\u00e9", "\u2028", "\ufeffbom", "\ufffd", "tab\tnew\nline\r\n",
	`back\slash`, `"quoted"`, "'; DROP TABLE session; --", "%s%00{}[],$1?", "😀", "\x7f\x01", "NULL", "1e3", "0x00", "\\x00",
}

func testInputBytes(e *env) {
	ann := e.subject("ann")
	for _, text := range odd {
		s := e.session(ann, func(n *tokenstore.NewSession) {
			n.ClientID, n.Scope, n.Cnf, n.ACR, n.Provider, n.UserAgent = text, text, text, text, text, text
			n.Resource, n.AMR = []string{text, "", text}, []string{text}
		})
		got := e.load(s.ID)
		e.same("session's strings", []string{got.ClientID, got.Scope, got.Cnf, got.ACR, got.Provider, got.UserAgent},
			[]string{text, text, text, text, text, text})
		e.same("session's lists", [][]string{got.Resource, got.AMR}, [][]string{{text, "", text}, {text}})
		e.rotate(s, 0)
		e.same("listed by client", e.list(tokenstore.SessionQuery{Subject: ann, ClientID: text}), ids(s))

		e.ok(e.SetConsent(e.ctx, tokenstore.Consent{Subject: ann, ClientID: text, Scope: []string{text, ""}, At: e.now()}))
		t := e.token(text, text)
		t.Provider, t.ClientID, t.TokenType, t.KeyID = text, text, text, text
		e.store(t)
		stored, err := e.ProviderToken(e.ctx, "ann", text)
		e.ok(err)
		e.same("provider token", issued(stored), t)
		e.addKey(text, "alg "+text)
		e.ok(e.RevokeTokenID(e.ctx, text, e.now().Add(time.Hour)))
	}
	consents, err := e.Consents(e.ctx, ann)
	e.ok(err)
	e.same("number of consents", len(consents), len(odd))
	for _, c := range consents {
		e.same("consent's scopes", c.Scope, []string{c.ClientID, ""})
	}
	e.same("number of keys", len(e.states()), len(odd))
	jtis, err := e.RevokedTokenIDs(e.ctx)
	e.ok(err)
	e.same("number of token ids", len(jtis), len(odd))
}

func testInputSubjects(e *env) {
	for i, text := range odd {
		who := tokenstore.Identity{Issuer: text, Subject: text}
		s, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: who, NewSubject: text, Session: e.newSession("")})
		e.ok(err)
		e.same("subject", s.Subject, text)
		got, err := e.Subject(e.ctx, text)
		e.ok(err)
		e.same("subject as read", got.ID, text)
		list, err := e.Identities(e.ctx, text)
		e.ok(err)
		e.same("identities", list, []tokenstore.Identity{who})
		if i%2 == 0 {
			e.ok(e.Suspend(e.ctx, text, true))
			e.ok(e.Suspend(e.ctx, text, false))
		}
		revoked, err := e.RevokeSubject(e.ctx, text)
		e.ok(err)
		e.sameIDs("revoked", revoked, ids(s))
	}
}

func testInputIDs(e *env) {
	ann := e.subject("ann")
	n := e.newSession(ann)
	for name, id := range map[string]uuid.UUID{
		"nil":       uuid.Nil,
		"max":       uuid.Max,
		"version 4": uuid.New(),
	} {
		n.ID = id
		if _, err := e.CreateSession(e.ctx, n); err == nil {
			e.Errorf("created a session of id %s", name)
		}
		_, err := e.Session(e.ctx, id)
		e.want("Session of id "+name, err, tokenstore.ErrNotFound)
		_, err = e.Rotate(e.ctx, tokenstore.Rotation{ID: id, SecretHash: hash("secret"), ClientID: "app"})
		e.want("Rotate of id "+name, err, tokenstore.ErrNotFound)
		_, err = e.RevokeSession(e.ctx, id)
		e.want("RevokeSession of id "+name, err, tokenstore.ErrNotFound)
		e.ok(e.RevokeAgain(e.ctx, []uuid.UUID{id}))
		states, _, err := e.Revalidate(e.ctx, []uuid.UUID{id}, []uuid.UUID{id})
		e.ok(err)
		e.same("states of id "+name, len(states), 0)
	}
	e.same("sessions", e.list(tokenstore.SessionQuery{All: true}), []uuid.UUID{})
}

// testInputTimes: a provider may say any time. It is stored as it is or
// refused, and never upsets the store.
func testInputTimes(e *env) {
	for name, when := range map[string]time.Time{
		"epoch":       time.Unix(0, 0).UTC(),
		"before":      time.Unix(-1, 0).UTC(),
		"year 1":      time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		"year 9999":   time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"year 20000":  time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC),
		"last second": time.Unix(math.MaxInt64, 0).UTC(),
		"first":       time.Unix(math.MinInt64, 0).UTC(),
		"elsewhere":   time.Date(2030, 1, 1, 0, 0, 0, 0, time.FixedZone("", 5*3600)),
	} {
		t := e.token(name, "openid")
		t.IssuedAt, t.ExpiresAt = when, when
		_, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{})
		if err != nil {
			e.want("token of "+name, err, tokenstore.ErrInvalid)
		} else if got := e.stored(); !got.IssuedAt.Equal(when) || !got.ExpiresAt.Equal(when) {
			e.Errorf("time of %s came back as %v and %v", name, got.IssuedAt, got.ExpiresAt)
		}
		t.IssuedAt, t.ExpiresAt, t.RefreshExpiresAt = time.Time{}, time.Time{}, when
		if _, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{}); err != nil &&
			!isAny(err, tokenstore.ErrInvalid, tokenstore.ErrExpired) {
			e.Errorf("token whose refresh token expires at %s: %v", name, err)
		}
	}
	ann := e.subject("ann")
	for _, d := range []time.Duration{0, time.Microsecond, math.MaxInt64} {
		n := e.newSession(ann)
		n.Idle, n.Lifetime = d, d
		s, err := e.CreateSession(e.ctx, n)
		if err != nil {
			e.want("session lasting "+d.String(), err, tokenstore.ErrInvalid)
			continue
		}
		want := tokenstore.ErrExpired
		if d > time.Hour {
			want = nil
		}
		e.advance(time.Second)
		e.want("state of a session lasting "+d.String(), e.load(s.ID).Err(), want)
	}
}
