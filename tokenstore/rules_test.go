package tokenstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestRotation_Judge(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	row := tokenstore.Session{
		ClientID: "app", Cnf: "key", SecretHash: []byte("hash"), Generation: 5, RotatedAt: now.Add(-29 * time.Second),
		Idle: time.Hour, ExpiresAt: now.Add(time.Hour), Now: now,
	}
	type rotation = tokenstore.Rotation
	type session = tokenstore.Session
	for name, c := range map[string]struct {
		generation uint32
		change     func(*rotation, *session)
		retry      bool
		err        error
	}{
		"current":                      {generation: 5},
		"ahead of the row":             {generation: 9},
		"the one before":               {generation: 4, retry: true},
		"older":                        {generation: 3, err: tokenstore.ErrReused},
		"the first":                    {generation: 0, err: tokenstore.ErrReused},
		"the one before, grace ending": {4, func(r *rotation, _ *session) { r.Grace = 29 * time.Second }, false, tokenstore.ErrReused},
		"the one before, no grace":     {4, func(r *rotation, _ *session) { r.Grace = 0 }, false, tokenstore.ErrReused},
		"another secret":               {5, func(r *rotation, _ *session) { r.SecretHash = nil }, false, tokenstore.ErrMismatch},
		"another client":               {5, func(r *rotation, _ *session) { r.ClientID = "App" }, false, tokenstore.ErrMismatch},
		"another key":                  {5, func(r *rotation, _ *session) { r.Cnf = "" }, false, tokenstore.ErrMismatch},
		"revoked":                      {4, func(_ *rotation, s *session) { s.RevokedAt = now }, false, tokenstore.ErrRevoked},
		"expired":                      {3, func(_ *rotation, s *session) { s.ExpiresAt = now }, false, tokenstore.ErrExpired},
		"suspended":                    {3, func(_ *rotation, s *session) { s.Suspended = true }, false, tokenstore.ErrSuspended},
		"a mismatch before all else": {3, func(r *rotation, s *session) {
			r.ClientID, s.RevokedAt = "", now
		}, false, tokenstore.ErrMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			s := row
			r := rotation{Generation: c.generation, SecretHash: []byte("hash"), ClientID: "app", Cnf: "key", Grace: 30 * time.Second}
			if c.change != nil {
				c.change(&r, &s)
			}
			if retry, err := r.Judge(s); retry != c.retry || !errors.Is(err, c.err) {
				t.Errorf("got retry %v, error %v; want %v, %v", retry, err, c.retry, c.err)
			}
		})
	}
}

func TestProviderToken_Withstands(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	type token = tokenstore.ProviderToken
	for name, c := range map[string]struct {
		has, other string
		change     func(*token)
		want       bool
	}{
		"more":                  {has: "openid email repo", other: "repo openid", want: true},
		"something and nothing": {has: "openid", other: "", want: true},
		"the same, reordered":   {has: "a b", other: "b a"},
		"the same, repeated":    {has: "a b b", other: "a b"},
		"less":                  {has: "a", other: "a b"},
		"other":                 {has: "a b", other: "c"},
		"in part":               {has: "a b", other: "b c"},
		"by letters only":       {has: "ab", other: "a"},
		"nothing":               {has: "", other: ""},
		"more, but expired":     {"a b", "a", func(t *token) { t.RefreshExpiresAt = now }, false},
		"more, but revoked":     {"a b", "a", func(t *token) { t.RefreshRevokedAt = now }, false},
		"more, but refused":     {"a b", "a", func(t *token) { t.NeedsReauth = true }, false},
		"access revoked alone":  {"a b", "a", func(t *token) { t.AccessRevokedAt = now }, true},
		"more, another client":  {"a b", "a", func(t *token) { t.ClientID = "theirs" }, false},
		"more, never expires":   {"a b", "a", func(t *token) { t.RefreshToken = nil }, true},
		"more, expires":         {"a b", "a", func(t *token) { t.RefreshToken, t.ExpiresAt = nil, now.Add(1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			stored := token{Scope: c.has, ClientID: "ours", RefreshToken: []byte("r"), RefreshExpiresAt: now.Add(time.Microsecond)}
			if c.change != nil {
				c.change(&stored)
			}
			if got := stored.Withstands(token{Scope: c.other, ClientID: "ours", RefreshToken: []byte("r")}, now); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestStoreOptions_Revokes(t *testing.T) {
	kept := tokenstore.ProviderToken{RefreshHash: []byte("kept")}
	other := tokenstore.ProviderToken{RefreshHash: []byte("other")}
	for name, c := range map[string]struct {
		revoke    bool
		displaced *tokenstore.ProviderToken
		want      bool
	}{
		"another":                {true, &other, true},
		"the same refresh token": {true, &kept, false}, // revoking it would end the kept one
		"none":                   {true, nil, false},
		"not asked for":          {false, &other, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := tokenstore.StoreOptions{RevokeDisplaced: c.revoke}
			if got := o.Revokes(tokenstore.StoreResult{Kept: kept, Displaced: c.displaced}); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
