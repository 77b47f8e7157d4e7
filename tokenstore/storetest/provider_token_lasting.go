package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// never is the end of what does not expire, as callers spell it.
func never() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// unrefreshable is a token without a refresh token, that expires or does not.
func (e *env) unrefreshable(name, scope string, expires bool) tokenstore.ProviderToken {
	e.Helper()
	t := e.token(name, scope)
	t.RefreshToken, t.RefreshHash = nil, nil
	if expires {
		t.RefreshExpiresAt = t.ExpiresAt.Add(time.Hour)
		return t
	}
	t.ExpiresAt, t.RefreshExpiresAt = time.Time{}, never()
	return t
}

// GitHub's OAuth Apps give tokens that neither expire nor can be refreshed
// (jlowin/fastmcp#2534).
func testTokenWithoutRefresh(e *env) {
	for name, t := range map[string]tokenstore.ProviderToken{
		"that never expires": e.unrefreshable("a", "repo", false),
		"that expires":       e.unrefreshable("b", "repo", true),
	} {
		t.Subject = name
		r := e.store(t)
		e.displaced(r, nil)
		got, err := e.ProviderToken(e.ctx, name, "p")
		e.ok(err)
		e.same("token "+name, issued(got), t)
		leased, err := e.LeaseProviderToken(e.ctx, name, "p", got.Version, "me", time.Minute)
		e.ok(err)
		leased.NeedsReauth = true
		updated, err := e.UpdateProviderToken(e.ctx, leased)
		e.ok(err)
		t.NeedsReauth = true
		e.same("token "+name+", updated", issued(updated), t)
		gone, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{AccessHash: t.AccessHash}, true)
		e.ok(err)
		e.same("tokens deleted by access token", len(gone), 1)
	}
}

// A token of another client cannot be refreshed by this one. It once stood in the
// way of every token of the new client that could do less.
func testTokenOtherClient(e *env) {
	for name, old := range map[string]tokenstore.ProviderToken{
		"one that can be refreshed": e.token("old", "openid profile email"),
		"one that never expires":    e.unrefreshable("old", "openid profile email", false),
	} {
		e.store(old)
		newer := e.token("new", "openid")
		newer.ClientID = "ours too"
		r := e.store(newer)
		e.displaced(r, &old)
		e.same("stored after "+name, issued(e.stored()), newer)
		// And back, as when a configuration is rolled back.
		narrow := e.token("back", "")
		r = e.store(narrow)
		e.displaced(r, &newer)
		e.same("stored after the way back", issued(e.stored()), narrow)
		_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{Subject: "ann"}, true)
		e.ok(err)
	}
}

func testTokenLasting(e *env) {
	const refreshable, endless, brief = "refreshable", "endless", "brief"
	of := func(kind, name, scope string) tokenstore.ProviderToken {
		switch kind {
		case endless:
			return e.unrefreshable(name, scope, false)
		case brief:
			return e.unrefreshable(name, scope, true)
		}
		return e.token(name, scope)
	}
	for _, tt := range []struct {
		old, oldScope, other, otherScope string
		stays                            bool
	}{
		{refreshable, "a", brief, "a", true},
		{refreshable, "a", brief, "a b", true},
		{endless, "a", brief, "a b", true},
		{brief, "a b", refreshable, "a", false},
		{brief, "a b", endless, "a", false},
		{brief, "a b", brief, "a", true},
		{brief, "a", brief, "a", false},
		{endless, "a b", endless, "a", true},
		{endless, "a", endless, "a", false},
		{endless, "a", refreshable, "a", false},
		{endless, "a b", refreshable, "a", true},
		{refreshable, "a b", endless, "a", true},
	} {
		name := tt.old + " " + tt.oldScope + ", then " + tt.other + " " + tt.otherScope
		old, other := of(tt.old, "old", tt.oldScope), of(tt.other, "new", tt.otherScope)
		e.store(old)
		r := e.store(other)
		kept, lost := other, old
		if tt.stays {
			kept, lost = old, other
		}
		e.displaced(r, &lost)
		e.same(name+": stored", issued(e.stored()), kept)
		_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{Subject: "ann"}, true)
		e.ok(err)
	}
	for name, end := range map[string]func(*tokenstore.ProviderToken){
		"revoked": func(t *tokenstore.ProviderToken) { t.AccessRevokedAt = t.IssuedAt },
		"refused": func(t *tokenstore.ProviderToken) { t.NeedsReauth = true },
		"expired": func(t *tokenstore.ProviderToken) { t.ExpiresAt = e.now().Add(-time.Second).Truncate(time.Second) },
	} {
		old := e.unrefreshable("old", "a b", false)
		end(&old)
		e.store(old)
		newer := e.unrefreshable("new", "a", name == "expired")
		e.displaced(e.store(newer), &old)
		e.same("stored after one that was "+name, issued(e.stored()), newer)
		_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{Subject: "ann"}, true)
		e.ok(err)
	}
	e.noOutbox()
	// What was displaced is queued by its access token alone.
	first, second := e.unrefreshable("first", "a", false), e.unrefreshable("second", "a", false)
	e.store(first)
	for range 2 {
		_, err := e.StoreProviderToken(e.ctx, second, tokenstore.StoreOptions{RevokeDisplaced: true})
		e.ok(err)
	}
	entries := e.queued()
	if len(entries) != 1 {
		e.Errorf("%d revocations were queued, want the first token's", len(entries))
		return
	}
	queued, err := entries[0].Revocation()
	e.ok(err)
	e.same("queued token", issued(queued), first)
}

// Narrowed tokens come and go with the row's other tokens, and are of its sign-in alone.
func testTokenNarrowed(e *env) {
	t := e.store(e.token("first", "openid a b")).Kept
	e.same("narrowed tokens of a sign-in", t.Narrowed, []byte(nil))
	t.Narrowed = []byte{0, 1, 255}
	updated, err := e.UpdateProviderToken(e.ctx, t)
	e.ok(err)
	e.same("narrowed tokens as updated", updated.Narrowed, t.Narrowed)
	e.same("narrowed tokens as read", e.stored().Narrowed, t.Narrowed)
	leased, err := e.LeaseProviderToken(e.ctx, "ann", "p", updated.Version, "me", time.Minute)
	e.ok(err)
	e.same("narrowed tokens under a lease", leased.Narrowed, t.Narrowed)
	// One that loses leaves them, one that wins ends them.
	e.same("narrowed tokens that withstand", e.store(e.token("less", "openid a")).Kept.Narrowed, t.Narrowed)
	e.same("narrowed tokens of another sign-in", e.store(e.token("second", "openid a b")).Kept.Narrowed, []byte(nil))

	again := e.stored()
	again.Narrowed = make([]byte, tokenstore.MaxNarrowed+1)
	_, err = e.UpdateProviderToken(e.ctx, again)
	e.want("UpdateProviderToken with too much", err, tokenstore.ErrInvalid)
	again.Narrowed = []byte("sealed")
	_, err = e.UpdateProviderToken(e.ctx, again)
	e.ok(err)
	gone, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{Subject: "ann"}, false)
	e.ok(err)
	e.same("narrowed tokens that went", gone[0].Narrowed, []byte("sealed"))
	entries, err := e.TakeOutbox(e.ctx, 1, time.Minute)
	e.ok(err)
	queued, err := entries[0].Revocation()
	e.ok(err)
	e.same("narrowed tokens to be revoked", queued.Narrowed, []byte("sealed"))
}
