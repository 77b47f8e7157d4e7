package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var providerTokenTests = []test{
	{name: "every field comes back", run: testTokenFields},
	{name: "refused without any token", run: testTokenWithoutAny},
	{name: "kept without a refresh token", run: testTokenWithoutRefresh},
	{name: "only one of the same client stays", run: testTokenOtherClient},
	{name: "one that lasts stays", run: testTokenLasting},
	{name: "refused when expired", run: testTokenExpired},
	{name: "the widest live scope wins", run: testTokenScope},
	{name: "a scope that is asked for no more does not stay", run: testTokenScopeAsked},
	{name: "one that is not live never wins", run: testTokenNotLive},
	{name: "one per subject and provider", run: testTokenPerProvider},
	{name: "the displaced one is queued when asked", run: testTokenRevokeDisplaced},
	{name: "narrowed ones are of one sign-in", run: testTokenNarrowed},
	{name: "two first stores at once", run: testTokenRace, races: true},
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

func testTokenWithoutAny(e *env) {
	for name, change := range map[string]func(*tokenstore.ProviderToken){
		"no token":     func(t *tokenstore.ProviderToken) { t.RefreshToken, t.AccessToken = nil, nil },
		"empty tokens": func(t *tokenstore.ProviderToken) { t.RefreshToken, t.AccessToken = []byte{}, []byte{} },
		"no expiry":    func(t *tokenstore.ProviderToken) { t.RefreshExpiresAt = time.Time{} },
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
	// The missing token is judged first.
	late.RefreshToken, late.AccessToken = nil, nil
	_, err = e.StoreProviderToken(e.ctx, late, tokenstore.StoreOptions{})
	e.want("StoreProviderToken of an expired one without any token", err, tokenstore.ErrInvalid)
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
