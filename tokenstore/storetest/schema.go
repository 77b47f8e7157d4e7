package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var schemaTests = []test{
	{name: "unavailable before Migrate", run: testUnmigrated, bare: true},
	{name: "migrating twice and at once", run: testMigrateAgain, bare: true, races: true},
	{name: "a cancelled context changes nothing", run: testCancelled},
	{name: "unavailable after Close", run: testClosed},
}

func testUnmigrated(e *env) {
	e.want("Ping", e.Ping(e.ctx), tokenstore.ErrUnavailable)
	calls := e.calls(e.ctx)
	for name, call := range calls {
		e.want(name, call(), tokenstore.ErrUnavailable)
	}
	for method := range reflect.TypeFor[tokenstore.Store]().Methods() {
		if calls[method.Name] == nil && !slices.Contains([]string{"Migrate", "Ping", "Close"}, method.Name) {
			e.Errorf("%s is not among the calls that are tried", method.Name)
		}
	}
}

func testMigrateAgain(e *env) {
	errs := make([]error, 4)
	inStep(len(errs), func(i int) { errs[i] = e.node(i).Migrate(e.ctx) })
	e.ok(errors.Join(errs...))
	e.ok(e.Ping(e.ctx))
	_, err := e.Maintain(e.ctx, longest)
	e.ok(err)
	s := e.session(e.subject("ann"))
	e.ok(e.Migrate(e.ctx))
	e.live(s.ID)
}

func testCancelled(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	for name, call := range e.calls(ctx) {
		if err := call(); err == nil {
			e.Errorf("%s with a cancelled context gave no error", name)
		}
	}
	for name, call := range map[string]func() error{
		"Subject":       func() error { _, err := e.Subject(e.ctx, "new"); return err },
		"ProviderToken": func() error { _, err := e.ProviderToken(e.ctx, "a", "p"); return err },
	} {
		e.want(name+" after cancelled calls", call(), tokenstore.ErrNotFound)
	}
	entries, err := e.TakeOutbox(e.ctx, 10, time.Minute)
	e.ok(err)
	e.same("outbox after cancelled calls", entries, []tokenstore.OutboxEntry(nil))
}

func testClosed(e *env) {
	e.ok(e.Close())
	e.want("Ping", e.Ping(e.ctx), tokenstore.ErrUnavailable)
	for name, call := range e.calls(e.ctx) {
		if name != "Maintain" { // may have a connection of its own, like Migrate
			e.want(name, call(), tokenstore.ErrUnavailable)
		}
	}
	e.ok(e.Close()) // again
}

// calls are a good call of each method that reaches the database.
func (e *env) calls(ctx context.Context) map[string]func() error {
	id := e.id()
	n := e.newSession("a")
	token := tokenstore.ProviderToken{
		Subject: "a", Provider: "p", RefreshToken: []byte("r"), RefreshExpiresAt: time.Now().Add(time.Hour),
	}
	return map[string]func() error{
		"SignIn": func() error {
			_, err := e.SignIn(ctx, tokenstore.SignIn{Identity: identity("new"), NewSubject: "new"})
			return err
		},
		"Subject":          func() error { _, err := e.Subject(ctx, "a"); return err },
		"FindSubject":      func() error { _, err := e.FindSubject(ctx, identity("a")); return err },
		"Identities":       func() error { _, err := e.Identities(ctx, "a"); return err },
		"Link":             func() error { return e.Link(ctx, "a", identity("a")) },
		"Unlink":           func() error { return e.Unlink(ctx, "a", identity("a")) },
		"SetIdentityEmail": func() error { return e.SetIdentityEmail(ctx, identity("a"), []byte("m")) },
		"HasIdentityEmail": func() error { _, err := e.HasIdentityEmail(ctx, [][]byte{[]byte("m")}); return err },
		"Suspend":          func() error { return e.Suspend(ctx, "a", true) },
		"SetConsent":       func() error { return e.SetConsent(ctx, tokenstore.Consent{Subject: "a", ClientID: "c"}) },
		"Consents":         func() error { _, err := e.Consents(ctx, "a"); return err },
		"DeleteConsent":    func() error { return e.DeleteConsent(ctx, "a", "c") },

		"SetDelegation": func() error {
			return e.SetDelegation(ctx, tokenstore.Delegation{Subject: "a", ClientID: "c", Provider: "p"})
		},
		"Delegation":  func() error { _, err := e.Delegation(ctx, "a", "c", "p"); return err },
		"Delegations": func() error { _, err := e.Delegations(ctx, "a"); return err },
		"UseDelegation": func() error {
			return e.UseDelegation(ctx, tokenstore.Delegation{Subject: "a", ClientID: "c", Provider: "p"})
		},
		"SetDelegationClaims": func() error {
			return e.SetDelegationClaims(ctx, tokenstore.Delegation{Subject: "a", ClientID: "c", Provider: "p"})
		},
		"DeleteDelegations": func() error { return e.DeleteDelegations(ctx, "a", "p") },

		"CreateSession": func() error { _, err := e.CreateSession(ctx, n); return err },
		"Session":       func() error { _, err := e.Session(ctx, id); return err },
		"ReplaceClaims": func() error { return e.ReplaceClaims(ctx, id, []byte("x")) },
		"Revalidate":    func() error { _, _, err := e.Revalidate(ctx, []uuid.UUID{id}, []uuid.UUID{id}); return err },
		"ListSessions":  func() error { _, err := e.ListSessions(ctx, tokenstore.SessionQuery{Subject: "a"}); return err },
		"Rotate": func() error {
			_, err := e.Rotate(ctx, tokenstore.Rotation{ID: id, SecretHash: hash("secret"), ClientID: "app"})
			return err
		},
		"UnrotateSession": func() error { return e.UnrotateSession(ctx, id, 1, time.Now()) },
		"RevokeSession":   func() error { _, err := e.RevokeSession(ctx, id); return err },
		"RevokeSubject":   func() error { _, err := e.RevokeSubject(ctx, "a"); return err },
		"RevokeAgain":     func() error { return e.RevokeAgain(ctx, []uuid.UUID{id}) },

		"StoreProviderToken": func() error {
			_, err := e.StoreProviderToken(ctx, token, tokenstore.StoreOptions{})
			return err
		},
		"ProviderToken": func() error { _, err := e.ProviderToken(ctx, "a", "p"); return err },
		"ListProviderTokens": func() error {
			_, err := e.ListProviderTokens(ctx, tokenstore.ProviderTokenQuery{Subject: "a"})
			return err
		},
		"DeleteProviderTokens": func() error {
			_, err := e.DeleteProviderTokens(ctx, tokenstore.ProviderTokenQuery{Subject: "a"}, false)
			return err
		},
		"LeaseProviderToken": func() error {
			_, err := e.LeaseProviderToken(ctx, "a", "p", 1, "me", time.Minute)
			return err
		},
		"UpdateProviderToken": func() error { _, err := e.UpdateProviderToken(ctx, token); return err },
		"Enqueue": func() error {
			return e.Enqueue(ctx, tokenstore.OutboxEntry{
				ID: id, Kind: tokenstore.OutboxBackchannelLogout, Target: "c", NotBy: time.Now().Add(time.Hour),
			})
		},
		"TakeOutbox":   func() error { _, err := e.TakeOutbox(ctx, 1, time.Minute); return err },
		"FinishOutbox": func() error { return e.FinishOutbox(ctx, id, 0) },

		"SigningKeys": func() error { _, _, err := e.SigningKeys(ctx); return err },
		"AddSigningKey": func() error {
			_, err := e.AddSigningKey(ctx, tokenstore.SigningKey{ID: "k", Algorithm: "ES256"})
			return err
		},
		"PromoteSigningKey": func() error { return e.PromoteSigningKey(ctx, "", "k") },
		"RemoveSigningKey":  func() error { return e.RemoveSigningKey(ctx, "k") },
		"RevokeTokenID":     func() error { return e.RevokeTokenID(ctx, "j", time.Now().Add(time.Hour)) },
		"RevokedTokenIDs":   func() error { _, err := e.RevokedTokenIDs(ctx); return err },
		"Maintain":          func() error { _, err := e.Maintain(ctx, longest); return err },
	}
}
