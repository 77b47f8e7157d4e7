package storetest

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// modelToken is the provider token of the history's one owner at a provider.
type modelToken struct {
	row     tokenstore.ProviderToken // as the store answered it
	expires time.Duration
	dead    bool // refused by the provider, or revoked
}

var (
	modelProviders = []string{"p", "q"}
	modelScopes    = []string{"", "a", "b", "a b", "b a", "a b c"}
)

// wider reports whether scope a strictly contains b.
func wider(a, b string) bool {
	count := func(in, of string) (n int) {
		set := strings.Fields(in)
		for s := range strings.FieldsSeq(of) {
			if slices.Contains(set, s) {
				n++
			}
		}
		return n
	}
	return count(a, b) == len(strings.Fields(b)) && count(b, a) < len(strings.Fields(a))
}

func (m *model) storeToken() {
	provider := rapid.SampledFrom(modelProviders).Draw(m.T, "provider")
	lasting := rapid.SampledFrom([]time.Duration{-30 * time.Second, 90 * time.Second, 5*time.Hour + 30*time.Second}).Draw(m.T, "lasting")
	_, now, err := m.store.Revalidate(m.ctx, nil, nil)
	m.ok("reading the clock", err)
	name := m.newID().String()
	t := tokenstore.ProviderToken{
		Subject: m.prefix, Provider: provider, Scope: rapid.SampledFrom(modelScopes).Draw(m.T, "scope"),
		RefreshToken: []byte(name), RefreshHash: hash(name), RefreshExpiresAt: now.Add(lasting),
		NeedsReauth: rapid.IntRange(0, 5).Draw(m.T, "needs reauth") == 0,
	}
	old := m.tokens[provider]
	got, err := m.store.StoreProviderToken(m.ctx, t, tokenstore.StoreOptions{})
	if lasting < 0 {
		m.wantAny("storing an expired token", err, tokenstore.ErrExpired)
		return
	}
	m.ok("storing a token", err)
	stays := old != nil && !old.dead && m.now < old.expires && wider(old.row.Scope, t.Scope)
	switch {
	case old == nil && got.Displaced != nil:
		m.Fatalf("the first token displaced %q", got.Displaced.RefreshToken)
	case old == nil:
	case got.Displaced == nil:
		m.Fatalf("a second token displaced nothing")
	case stays && (string(got.Displaced.RefreshToken) != name || got.Kept.Version != old.row.Version):
		m.Fatalf("a token of scope %q displaced one of %q", t.Scope, old.row.Scope)
	case !stays && string(got.Displaced.RefreshToken) != string(old.row.RefreshToken):
		m.Fatalf("a token of scope %q did not displace one of %q", t.Scope, old.row.Scope)
	}
	if !stays {
		m.tokens[provider] = &modelToken{row: got.Kept, expires: m.now + lasting, dead: t.NeedsReauth}
	}
	m.checkTokens()
}

func (m *model) updateToken() {
	provider := rapid.SampledFrom(modelProviders).Draw(m.T, "provider")
	old := m.tokens[provider]
	if old == nil {
		return
	}
	t := old.row
	stale := rapid.IntRange(0, 2).Draw(m.T, "stale") == 0
	if stale {
		t.Version--
	}
	if rapid.Bool().Draw(m.T, "lease") {
		_, err := m.store.LeaseProviderToken(m.ctx, m.prefix, provider, t.Version, "me", time.Minute)
		if stale {
			m.wantAny("leasing a former version", err, tokenstore.ErrConflict)
		} else {
			m.ok("leasing a token", err)
		}
	}
	t.Scope = rapid.SampledFrom(modelScopes).Draw(m.T, "scope")
	t.RefreshRevokedAt = time.Time{}
	if rapid.IntRange(0, 3).Draw(m.T, "revoked") == 0 {
		t.RefreshRevokedAt = t.RefreshExpiresAt
	}
	got, err := m.store.UpdateProviderToken(m.ctx, t)
	if stale {
		m.wantAny("updating a former version", err, tokenstore.ErrConflict)
	} else {
		m.ok("updating a token", err)
		old.row, old.dead = got, t.NeedsReauth || !t.RefreshRevokedAt.IsZero()
	}
}

func (m *model) deleteTokens() {
	if rapid.IntRange(0, 2).Draw(m.T, "really") > 0 {
		return
	}
	provider := rapid.SampledFrom(modelProviders).Draw(m.T, "provider")
	q := tokenstore.ProviderTokenQuery{Subject: m.prefix, Provider: provider}
	gone, err := m.store.DeleteProviderTokens(m.ctx, q, rapid.Bool().Draw(m.T, "quiet"))
	m.ok("deleting tokens", err)
	if exists := m.tokens[provider] != nil; exists != (len(gone) == 1) {
		m.Fatalf("deleted %d tokens, though one existed: %v", len(gone), exists)
	}
	delete(m.tokens, provider)
}

func (m *model) listTokens() {
	m.checkTokens()
	_, now, err := m.store.Revalidate(m.ctx, nil, nil)
	m.ok("reading the clock", err)
	expired, err := m.store.ListProviderTokens(m.ctx, tokenstore.ProviderTokenQuery{Subject: m.prefix, ExpiredBefore: now})
	m.ok("listing expired tokens", err)
	want := 0
	for _, t := range m.tokens {
		if m.now >= t.expires {
			want++
		}
	}
	if len(expired) != want {
		m.Fatalf("listed %d expired tokens, want %d", len(expired), want)
	}
}

// checkTokens compares all tokens of the history with their rows.
func (m *model) checkTokens() {
	m.Helper()
	got, err := m.store.ListProviderTokens(m.ctx, tokenstore.ProviderTokenQuery{Subject: m.prefix})
	m.ok("listing tokens", err)
	if len(got) != len(m.tokens) {
		m.Fatalf("listed %d tokens, want %d", len(got), len(m.tokens))
	}
	for _, t := range got {
		want := m.tokens[t.Provider]
		if want == nil || t.Version != want.row.Version || string(t.RefreshToken) != string(want.row.RefreshToken) ||
			t.Scope != want.row.Scope {
			m.Fatalf("token is %+v, want %+v", t, want)
		}
	}
}
