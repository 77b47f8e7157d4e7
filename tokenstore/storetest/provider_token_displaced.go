package storetest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func testTokenScope(e *env) {
	tests := []struct {
		name       string
		old, other string
		oldStays   bool
	}{
		{"the same", "openid profile", "openid profile", false},
		{"the same in another order", "openid profile", "profile  openid openid", false},
		{"wider", "openid", "openid profile", false},
		{"narrower", "openid profile", "profile", true},
		{"none", "openid", "", true},
		{"none and none", "", "", false},
		{"some after none", "", "openid", false},
		{"overlapping", "openid profile", "openid email", false},
		{"another case", "OpenID profile", "openid", false},
		{"a part of the name", "openid profile", "open", false},
		{"narrower, repeated", "openid profile", "profile profile profile", true},
	}
	for _, tt := range tests {
		_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true}, true)
		e.ok(err)
		older, newer := e.token("old", tt.old), e.token("new", tt.other)
		first := e.store(older)
		r := e.store(newer)
		kept, lost := newer, older
		if tt.oldStays {
			kept, lost = older, newer
		}
		e.displaced(r, &lost)
		e.same(tt.name+": kept", issued(r.Kept), kept)
		e.same(tt.name+": stored", e.stored(), r.Kept)
		if grown := r.Kept.Version > first.Kept.Version; grown == tt.oldStays {
			e.Errorf("%s: version went from %d to %d", tt.name, first.Kept.Version, r.Kept.Version)
		}
		e.noOutbox()
	}
}

// A token stays only for scopes that are still asked for.
func testTokenScopeAsked(e *env) {
	tests := []struct {
		name       string
		asked      []string
		old, other string
		oldStays   bool
	}{
		{"anything", nil, "a b c", "a", true},
		{"all of it", []string{"a", "b", "c"}, "a b c", "a", true},
		{"more", []string{"a", "b", "c", "d"}, "a b c", "a", true},
		{"less", []string{"a", "b"}, "a b c", "a", false},
		{"nothing", []string{}, "a b", "a", false},
		{"nothing, and it has no more", []string{}, "a b", "a b", false},
		{"what the provider calls otherwise", []string{"a", "b"}, "A b", "A", true},
	}
	for _, tt := range tests {
		_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true}, true)
		e.ok(err)
		older, newer := e.token("old", tt.old), e.token("new", tt.other)
		e.store(older)
		r, err := e.StoreProviderToken(e.ctx, newer, tokenstore.StoreOptions{Scope: tt.asked})
		e.ok(err)
		kept, lost := newer, older
		if tt.oldStays {
			kept, lost = older, newer
		}
		e.displaced(r, &lost)
		e.same(tt.name+": kept", issued(r.Kept), kept)
		e.same(tt.name+": stored", e.stored(), r.Kept)
	}
}

func testTokenNotLive(e *env) {
	for name, end := range map[string]func(*tokenstore.ProviderToken){
		"expired": func(t *tokenstore.ProviderToken) { t.RefreshExpiresAt = e.now().Add(time.Minute).Truncate(time.Second) },
		"revoked": func(t *tokenstore.ProviderToken) { t.RefreshRevokedAt = t.IssuedAt },
		"refused": func(t *tokenstore.ProviderToken) { t.NeedsReauth = true },
		"expired and narrow": func(t *tokenstore.ProviderToken) {
			t.RefreshExpiresAt, t.Scope = e.now().Add(time.Minute).Truncate(time.Second), "x"
		},
	} {
		old := e.token("old "+name, "openid profile email")
		end(&old)
		e.store(old)
		e.advance(2 * time.Minute)
		narrow := e.token("new "+name, "openid")
		r := e.store(narrow)
		e.displaced(r, &old)
		e.same("stored after one "+name, issued(e.stored()), narrow)
		_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{Subject: "ann"}, true)
		e.ok(err)
	}
	// A revoked or expired access token says nothing of the refresh token.
	old := e.token("old", "openid profile")
	old.AccessRevokedAt, old.ExpiresAt = old.IssuedAt, old.IssuedAt
	e.store(old)
	r := e.store(e.token("new", "openid"))
	e.same("kept with a dead access token", issued(r.Kept), old)
}

// queued takes everything from the outbox.
func (e *env) queued() []tokenstore.OutboxEntry {
	e.Helper()
	entries, err := e.TakeOutbox(e.ctx, 1000, time.Minute)
	e.ok(err)
	for _, entry := range entries {
		e.ok(e.FinishOutbox(e.ctx, entry.ID, 0))
	}
	return entries
}

func (e *env) noOutbox() {
	e.Helper()
	if entries := e.queued(); len(entries) > 0 {
		e.Errorf("%d entries were queued, want none", len(entries))
	}
}

// revocations reports unless exactly these tokens were queued for revocation.
func (e *env) revocations(want ...tokenstore.ProviderToken) {
	e.Helper()
	entries := e.queued()
	if len(entries) != len(want) {
		e.Errorf("%d revocations were queued, want %d", len(entries), len(want))
		return
	}
	left := make(map[string]tokenstore.ProviderToken)
	for _, t := range want {
		left[string(t.RefreshHash)] = issued(t)
	}
	for _, entry := range entries {
		t, err := entry.Revocation()
		e.ok(err)
		e.same("queued token", issued(t), left[string(t.RefreshHash)])
		delete(left, string(t.RefreshHash))
		e.same("target", entry.Target, t.Provider)
		e.near("end of tries", entry.NotBy, e.now().Add(tokenstore.RevocationRetention))
	}
}

func testTokenRevokeDisplaced(e *env) {
	revoke := tokenstore.StoreOptions{RevokeDisplaced: true}
	put := func(t tokenstore.ProviderToken, o tokenstore.StoreOptions) {
		e.Helper()
		_, err := e.StoreProviderToken(e.ctx, t, o)
		e.ok(err)
	}
	first := e.token("first", "openid")
	put(first, revoke)
	e.noOutbox()
	// Not asked for.
	second := e.token("second", "openid")
	put(second, tokenstore.StoreOptions{})
	e.noOutbox()
	// The former one.
	third := e.token("third", "openid profile")
	put(third, revoke)
	e.revocations(second)
	// The new one, which can do less.
	fourth := e.token("fourth", "openid")
	put(fourth, revoke)
	e.revocations(fourth)
	// The same refresh token: revoking it would end the one that is kept. It
	// was sealed anew, so that only its hash tells.
	fifth := e.token("fifth", "openid profile email")
	fifth.RefreshHash, fifth.RefreshToken = third.RefreshHash, []byte("sealed anew")
	put(fifth, revoke)
	e.noOutbox()
	narrow := e.token("sixth", "openid")
	narrow.RefreshHash = fifth.RefreshHash
	put(narrow, revoke)
	e.noOutbox()
	e.same("stored", issued(e.stored()), fifth)
}

func testTokenRace(e *env) {
	scopes := [][2]string{{"openid", "openid"}, {"openid profile", "openid"}, {"openid", "profile"}}
	for round := range e.rounds(100, 20) {
		var tokens [2]tokenstore.ProviderToken
		var results [2]tokenstore.StoreResult
		var errs [2]error
		for i, scope := range scopes[round%len(scopes)] {
			tokens[i] = e.token(named(named("t", round), i), scope)
			tokens[i].Subject = named("sub", round)
		}
		inStep(2, func(i int) {
			results[i], errs[i] = e.node(i).StoreProviderToken(e.ctx, tokens[i], tokenstore.StoreOptions{RevokeDisplaced: true})
		})
		e.ok(errors.Join(errs[:]...))
		stored, err := e.ProviderToken(e.ctx, tokens[0].Subject, "p")
		e.ok(err)
		var lost []tokenstore.ProviderToken
		for _, r := range results {
			if r.Displaced != nil {
				lost = append(lost, issued(*r.Displaced))
			}
		}
		winner := 0
		if !cmp.Equal(issued(stored), tokens[0]) {
			winner = 1
		}
		e.same("stored", issued(stored), tokens[winner])
		e.same("displaced", lost, []tokenstore.ProviderToken{tokens[1-winner]})
		e.revocations(tokens[1-winner])
		if round%len(scopes) == 1 {
			e.same("winner of a wide and a narrow scope", stored.Scope, "openid profile")
		}
	}
}
