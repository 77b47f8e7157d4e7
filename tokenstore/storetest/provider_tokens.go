package storetest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var providerTokenTests = []test{
	{name: "every field comes back", run: testTokenFields},
	{name: "refused without a refresh token", run: testTokenWithoutRefresh},
	{name: "refused when expired", run: testTokenExpired},
	{name: "the widest live scope wins", run: testTokenScope},
	{name: "one that is not live never wins", run: testTokenNotLive},
	{name: "one per subject and provider", run: testTokenPerProvider},
	{name: "the displaced one is queued when asked", run: testTokenRevokeDisplaced},
	{name: "two first stores at once", run: testTokenRace},
	{name: "methods of a token", run: testTokenMethods},
}

// token is a provider token of "ann" at "p", all of whose contents derive from
// name.
func (e *env) token(name, scope string) tokenstore.ProviderToken {
	e.Helper()
	now := e.now().Truncate(time.Second)
	return tokenstore.ProviderToken{
		Subject:          "ann",
		Provider:         "p",
		ClientID:         "ours",
		AccessToken:      []byte("sealed access " + name),
		RefreshToken:     []byte("sealed refresh " + name),
		AccessHash:       hash("access " + name),
		RefreshHash:      hash("refresh " + name),
		KeyID:            "k1",
		TokenType:        "Bearer",
		Scope:            scope,
		IssuedAt:         now,
		ExpiresAt:        now.Add(time.Hour),
		RefreshExpiresAt: now.Add(24 * time.Hour),
	}
}

// store stores a token that must not be refused.
func (e *env) store(t tokenstore.ProviderToken) tokenstore.StoreResult {
	e.Helper()
	r, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{})
	e.ok(err)
	return r
}

// stored is the token of "ann" at "p", which must exist.
func (e *env) stored() tokenstore.ProviderToken {
	e.Helper()
	t, err := e.ProviderToken(e.ctx, "ann", "p")
	e.ok(err)
	return t
}

// issued is a token as the provider issued it: without what the store adds.
func issued(t tokenstore.ProviderToken) tokenstore.ProviderToken {
	t.Version, t.LeaseOwner, t.LeaseUntil = 0, "", time.Time{}
	return t
}

// displaced reports what a store displaced; nil for nothing.
func (e *env) displaced(r tokenstore.StoreResult, want *tokenstore.ProviderToken) {
	e.Helper()
	switch {
	case want == nil && r.Displaced != nil:
		e.Errorf("displaced %+v, want nothing", issued(*r.Displaced))
	case want != nil && r.Displaced == nil:
		e.Errorf("displaced nothing, want %+v", issued(*want))
	case want != nil:
		e.same("displaced token", issued(*r.Displaced), issued(*want))
	}
}

func testTokenFields(e *env) {
	t := e.token("a", "openid  profile")
	t.AccessToken = []byte{0, 0xff, 1}
	t.AccessRevokedAt, t.RefreshRevokedAt = t.IssuedAt.Add(time.Minute), t.IssuedAt.Add(2*time.Minute)
	t.NeedsReauth = true
	// Not the caller's to set.
	t.Version, t.LeaseOwner, t.LeaseUntil = 77, "me", t.ExpiresAt
	r := e.store(t)
	e.displaced(r, nil)
	e.same("kept", issued(r.Kept), issued(t))
	if !r.Kept.LeaseUntil.IsZero() || r.Kept.LeaseOwner != "" {
		e.Errorf("stored with a lease of %q until %v", r.Kept.LeaseOwner, r.Kept.LeaseUntil)
	}
	e.same("as read", e.stored(), r.Kept)

	bare := tokenstore.ProviderToken{
		Subject: "any string at all", Provider: "https://p.example/", RefreshToken: []byte("r"), RefreshExpiresAt: t.RefreshExpiresAt,
	}
	e.store(bare)
	got, err := e.ProviderToken(e.ctx, bare.Subject, bare.Provider)
	e.ok(err)
	e.same("the least a token may say", issued(got), bare)

	for _, other := range [][2]string{{"ann", "q"}, {"bob", "p"}, {"Ann", "p"}} {
		_, err := e.ProviderToken(e.ctx, other[0], other[1])
		e.want("ProviderToken of another", err, tokenstore.ErrNotFound)
	}
}

func testTokenWithoutRefresh(e *env) {
	for name, change := range map[string]func(*tokenstore.ProviderToken){
		"no refresh token":       func(t *tokenstore.ProviderToken) { t.RefreshToken = nil },
		"an empty refresh token": func(t *tokenstore.ProviderToken) { t.RefreshToken = []byte{} },
		"no expiry":              func(t *tokenstore.ProviderToken) { t.RefreshExpiresAt = time.Time{} },
	} {
		t := e.token("a", "openid")
		change(&t)
		_, err := e.StoreProviderToken(e.ctx, t, tokenstore.StoreOptions{})
		e.want("StoreProviderToken with "+name, err, tokenstore.ErrInvalid)
		_, err = e.ProviderToken(e.ctx, "ann", "p")
		e.want("ProviderToken after that", err, tokenstore.ErrNotFound)
	}
}

func testTokenExpired(e *env) {
	first := e.store(e.token("a", "openid"))
	late := e.token("b", "openid profile")
	late.RefreshExpiresAt = e.now().Add(-time.Minute)
	_, err := e.StoreProviderToken(e.ctx, late, tokenstore.StoreOptions{RevokeDisplaced: true})
	e.want("StoreProviderToken of an expired one", err, tokenstore.ErrExpired)
	e.same("stored", e.stored(), first.Kept)
	// The missing refresh token is judged first.
	late.RefreshToken = nil
	_, err = e.StoreProviderToken(e.ctx, late, tokenstore.StoreOptions{})
	e.want("StoreProviderToken of an expired one without a refresh token", err, tokenstore.ErrInvalid)
	e.noOutbox()

	// Only the refresh token's expiry counts.
	short := e.token("c", "openid")
	short.ExpiresAt = e.now().Add(-time.Hour)
	e.store(short)
	e.same("stored", issued(e.stored()), short)
	e.advance(48 * time.Hour)
	_, err = e.StoreProviderToken(e.ctx, e.withExpiry(short, -time.Hour), tokenstore.StoreOptions{})
	e.want("StoreProviderToken on the store's clock", err, tokenstore.ErrExpired)
}

// withExpiry is a token whose refresh token expires d from now.
func (e *env) withExpiry(t tokenstore.ProviderToken, d time.Duration) tokenstore.ProviderToken {
	t.RefreshExpiresAt = e.now().Add(d).Truncate(time.Second)
	return t
}

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

func testTokenPerProvider(e *env) {
	var all []tokenstore.ProviderToken
	for _, subject := range []string{"ann", "bob"} {
		for _, provider := range []string{"p", "q"} {
			t := e.token(subject+provider, "openid")
			t.Subject, t.Provider = subject, provider
			r := e.store(t)
			e.displaced(r, nil)
			all = append(all, r.Kept)
		}
	}
	for _, want := range all {
		got, err := e.ProviderToken(e.ctx, want.Subject, want.Provider)
		e.ok(err)
		e.same("token", got, want)
	}
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

func testTokenMethods(e *env) {
	t := e.store(e.token("a", "openid profile")).Kept
	e.same("scope", t.GetScope(), []string{"openid", "profile"})
	e.same("lifetime", t.GetExpiresIn(), time.Hour)
	e.same("expired", t.IsExpired(e.now()), false)
	e.same("revoked", t.IsRevoked(), false)
	e.same("client", t.CheckClient("ours"), true)
	e.advance(2 * time.Hour)
	t = e.stored()
	e.same("expired later", t.IsExpired(e.now()), true)
	e.same("lifetime later", t.GetExpiresIn(), time.Hour)
}
