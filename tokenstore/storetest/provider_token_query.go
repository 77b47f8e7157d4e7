package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var providerTokenQueryTests = []test{
	{name: "listed by each condition", run: testTokenQuery},
	{name: "a query without a condition", run: testTokenQueryAll},
	{name: "paged", run: testTokenPages},
	{name: "deleted by access token, refresh token or user", run: testTokenDelete},
	{name: "deleted in pages", run: testTokenDeletePages},
	{name: "deleted by many at once", run: testTokenDeleteRace, races: true},
}

// tokens stores a few different tokens and returns them as stored, in the
// order of a listing.
func (e *env) tokens() []tokenstore.ProviderToken {
	e.Helper()
	now := e.now().Truncate(time.Second)
	var all []tokenstore.ProviderToken
	for i, change := range []func(*tokenstore.ProviderToken){
		func(t *tokenstore.ProviderToken) {},
		func(t *tokenstore.ProviderToken) { t.Provider = "q" },
		func(t *tokenstore.ProviderToken) { t.Subject = "bob"; t.ClientID = "other" },
		func(t *tokenstore.ProviderToken) { t.Subject = "Zoe"; t.KeyID = "k2" },
		func(t *tokenstore.ProviderToken) { t.Subject = "dan"; t.AccessRevokedAt = now },
		func(t *tokenstore.ProviderToken) { t.Subject = "eve"; t.RefreshRevokedAt = now },
		func(t *tokenstore.ProviderToken) { t.Subject = "fay"; t.RefreshExpiresAt = now.Add(time.Hour) },
		func(t *tokenstore.ProviderToken) { t.Subject = "gus"; t.NeedsReauth = true },
		func(t *tokenstore.ProviderToken) { t.Subject = "ünal"; t.Provider = "a b" },
	} {
		t := e.token(fmt.Sprint(i), "openid")
		change(&t)
		all = append(all, e.store(t).Kept)
	}
	slices.SortFunc(all, func(a, b tokenstore.ProviderToken) int {
		if a.Subject != b.Subject {
			return strings.Compare(a.Subject, b.Subject)
		}
		return strings.Compare(a.Provider, b.Provider)
	})
	return all
}

func testTokenQuery(e *env) {
	all := e.tokens()
	yes, no := true, false
	now := e.now()
	ann := all[slices.IndexFunc(all, func(t tokenstore.ProviderToken) bool { return t.Subject == "ann" })]
	tests := []struct {
		name  string
		query tokenstore.ProviderTokenQuery
		want  func(tokenstore.ProviderToken) bool
	}{
		{
			"subject",
			tokenstore.ProviderTokenQuery{Subject: "ann"},
			func(t tokenstore.ProviderToken) bool { return t.Subject == "ann" },
		},
		{
			"provider",
			tokenstore.ProviderTokenQuery{Provider: "q"},
			func(t tokenstore.ProviderToken) bool { return t.Provider == "q" },
		},
		{
			"subject and provider",
			tokenstore.ProviderTokenQuery{Subject: "ann", Provider: "q"},
			func(t tokenstore.ProviderToken) bool { return t.Subject == "ann" && t.Provider == "q" },
		},
		{
			"client",
			tokenstore.ProviderTokenQuery{ClientID: "other"},
			func(t tokenstore.ProviderToken) bool { return t.ClientID == "other" },
		},
		{
			"access token",
			tokenstore.ProviderTokenQuery{AccessHash: ann.AccessHash},
			func(t tokenstore.ProviderToken) bool { return cmp.Equal(t, ann) },
		},
		{
			"refresh token",
			tokenstore.ProviderTokenQuery{RefreshHash: ann.RefreshHash},
			func(t tokenstore.ProviderToken) bool { return cmp.Equal(t, ann) },
		},
		{
			"access token of another",
			tokenstore.ProviderTokenQuery{Subject: "bob", AccessHash: ann.AccessHash},
			func(tokenstore.ProviderToken) bool { return false },
		},
		{
			"unknown access token",
			tokenstore.ProviderTokenQuery{AccessHash: hash("unknown")},
			func(tokenstore.ProviderToken) bool { return false },
		},
		{
			"expiry",
			tokenstore.ProviderTokenQuery{ExpiredBefore: now.Add(2 * time.Hour)},
			func(t tokenstore.ProviderToken) bool { return t.Subject == "fay" },
		},
		{
			"expiry now",
			tokenstore.ProviderTokenQuery{ExpiredBefore: now},
			func(tokenstore.ProviderToken) bool { return false },
		},
		{"revoked", tokenstore.ProviderTokenQuery{Revoked: &yes}, tokenstore.ProviderToken.IsRevoked},
		{
			"not revoked",
			tokenstore.ProviderTokenQuery{Revoked: &no},
			func(t tokenstore.ProviderToken) bool { return !t.IsRevoked() },
		},
		{
			"another key",
			tokenstore.ProviderTokenQuery{KeyIDNot: "k1"},
			func(t tokenstore.ProviderToken) bool { return t.KeyID != "k1" },
		},
		{
			"another key than the last",
			tokenstore.ProviderTokenQuery{KeyIDNot: "k2"},
			func(t tokenstore.ProviderToken) bool { return t.KeyID != "k2" },
		},
		{"all", tokenstore.ProviderTokenQuery{All: true}, func(tokenstore.ProviderToken) bool { return true }},
		{
			"all of a subject",
			tokenstore.ProviderTokenQuery{All: true, Subject: "ann"},
			func(t tokenstore.ProviderToken) bool { return t.Subject == "ann" },
		},
	}
	for _, tt := range tests {
		var want []tokenstore.ProviderToken
		for _, t := range all {
			if tt.want(t) {
				want = append(want, t)
			}
		}
		got, err := e.ListProviderTokens(e.ctx, tt.query)
		e.ok(err)
		e.same("tokens by "+tt.name, got, want)
	}
}

func testTokenQueryAll(e *env) {
	all := e.tokens()
	for name, q := range map[string]tokenstore.ProviderTokenQuery{
		"nothing":           {},
		"a position":        {AfterSubject: "a", AfterProvider: "p"},
		"a limit":           {Limit: 5},
		"an empty hash":     {AccessHash: []byte{}},
		"a negative limit":  {All: true, Limit: -1},
		"a limit too large": {All: true, Limit: 1001},
	} {
		_, err := e.ListProviderTokens(e.ctx, q)
		e.want("ListProviderTokens with "+name, err, tokenstore.ErrInvalid)
		_, err = e.DeleteProviderTokens(e.ctx, q, false)
		e.want("DeleteProviderTokens with "+name, err, tokenstore.ErrInvalid)
	}
	got, err := e.ListProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true})
	e.ok(err)
	e.same("tokens left", got, all)
	e.noOutbox()
}

func testTokenPages(e *env) {
	all := e.tokens()
	for _, limit := range []int{1, 2, 4, len(all), 1000} {
		q := tokenstore.ProviderTokenQuery{All: true, Limit: limit}
		var got []tokenstore.ProviderToken
		for range len(all) + 1 {
			page, err := e.ListProviderTokens(e.ctx, q)
			e.ok(err)
			if len(page) > limit {
				e.Errorf("a page of %d has %d tokens", limit, len(page))
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			last := page[len(page)-1]
			q.AfterSubject, q.AfterProvider = last.Subject, last.Provider
		}
		e.same(fmt.Sprintf("all pages of %d", limit), got, all)
	}
}

func testTokenDelete(e *env) {
	all := e.tokens()
	del := func(q tokenstore.ProviderTokenQuery, quiet bool, want ...tokenstore.ProviderToken) {
		e.Helper()
		got, err := e.DeleteProviderTokens(e.ctx, q, quiet)
		e.ok(err)
		e.same("deleted", got, want)
		for _, t := range want {
			_, err := e.ProviderToken(e.ctx, t.Subject, t.Provider)
			e.want("ProviderToken of a deleted one", err, tokenstore.ErrNotFound)
			all = slices.DeleteFunc(all, func(o tokenstore.ProviderToken) bool { return cmp.Equal(o, t) })
		}
		left, err := e.ListProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true})
		e.ok(err)
		e.same("left", left, all)
		if quiet {
			e.noOutbox()
		} else {
			e.revocations(want...)
		}
	}
	bySubject := func(subject string) (list []tokenstore.ProviderToken) {
		for _, t := range all {
			if t.Subject == subject {
				list = append(list, t)
			}
		}
		return list
	}
	bob, dan := bySubject("bob")[0], bySubject("dan")[0]
	del(tokenstore.ProviderTokenQuery{AccessHash: bob.AccessHash}, false, bob)
	del(tokenstore.ProviderTokenQuery{RefreshHash: dan.RefreshHash}, false, dan)
	del(tokenstore.ProviderTokenQuery{Subject: "ann"}, false, bySubject("ann")...)
	del(tokenstore.ProviderTokenQuery{AccessHash: bob.AccessHash}, false)
	del(tokenstore.ProviderTokenQuery{Subject: "eve"}, true, bySubject("eve")...)
	del(tokenstore.ProviderTokenQuery{All: true}, false, slices.Clone(all)...)
}

func testTokenDeletePages(e *env) {
	all := e.tokens()
	var got []tokenstore.ProviderToken
	for len(got) < len(all) {
		page, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true, Limit: 2}, false)
		e.ok(err)
		if len(page) == 0 || len(page) > 2 {
			e.Fatalf("deleted a page of %d, want up to 2", len(page))
		}
		got = append(got, page...)
	}
	e.same("deleted", got, all)
	e.revocations(all...)
}

func testTokenDeleteRace(e *env) {
	for range e.rounds(30, 6) {
		all := e.tokens()
		const callers = 4
		gone := make([][]tokenstore.ProviderToken, callers)
		errs := make([]error, callers)
		inStep(callers, func(i int) {
			gone[i], errs[i] = e.node(i).DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true}, false)
		})
		total := 0
		for i := range callers {
			e.ok(errs[i])
			total += len(gone[i])
		}
		e.same("tokens deleted by all callers together", total, len(all))
		e.revocations(all...)
	}
}
