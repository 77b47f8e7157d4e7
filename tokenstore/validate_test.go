package tokenstore_test

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

type validator interface{ Validate() error }

// acceptable returns one value of each type that stores are given.
func acceptable() map[string]validator {
	session := tokenstore.NewSession{ID: uuid.Must(uuid.NewV7()), Subject: "ann", Resource: []string{""}, AMR: []string{""}, Idle: time.Hour, Lifetime: time.Hour}
	ann := tokenstore.Identity{Issuer: "https://idp.example", Subject: "1"}
	return map[string]validator{
		"session":       &session,
		"session query": &tokenstore.SessionQuery{Subject: "ann", Limit: tokenstore.MaxPage},
		"rotation":      &tokenstore.Rotation{},
		"identity":      &ann,
		"sign-in":       &tokenstore.SignIn{Identity: ann, NewSubject: "ann", Session: session},
		"consent":       &tokenstore.Consent{Subject: "ann", Scope: []string{""}},
		"token": &tokenstore.ProviderToken{
			Subject: "ann", Provider: "p", RefreshToken: []byte("r"), RefreshExpiresAt: time.Unix(1, 0),
			AccessHash: make([]byte, tokenstore.MaxHash),
		},
		"token query":  &tokenstore.ProviderTokenQuery{All: true},
		"outbox entry": &tokenstore.OutboxEntry{ID: uuid.New()},
		"signing key":  &tokenstore.SigningKey{ID: "k", Algorithm: "ES256"},
	}
}

// notTheirs are fields that a store sets itself and does not read.
var notTheirs = map[string]bool{
	"token.LeaseOwner": true, "token.LeaseUntil": true, "sign-in.Session.Subject": true,
	"signing key.State": true, "signing key.CreatedAt": true, "signing key.ChangedAt": true,
}

// Every string and time of every type is judged, those included that are added
// one day.
func TestValidate_EveryField(t *testing.T) {
	for name, v := range acceptable() {
		if err := v.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		spoilFields(t, name, v, reflect.ValueOf(v).Elem())
	}
}

func spoilFields(t *testing.T, name string, v validator, in reflect.Value) {
	t.Helper()
	for i := range in.NumField() {
		field, path := in.Field(i), name+"."+in.Type().Field(i).Name
		var bad []any
		switch field.Interface().(type) {
		case string, tokenstore.OutboxKind, tokenstore.KeyState:
			bad = []any{"a\x00", "a\xff"}
		case []string:
			bad = []any{[]string{"a", "\x00"}, []string{"\xff", "a"}}
		case time.Time:
			bad = []any{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)}
		case tokenstore.Identity, tokenstore.NewSession:
			spoilFields(t, path, v, field)
		}
		good := reflect.New(field.Type()).Elem()
		good.Set(field)
		for _, b := range bad {
			field.Set(reflect.ValueOf(b).Convert(field.Type()))
			if err := v.Validate(); errors.Is(err, tokenstore.ErrInvalid) == notTheirs[path] {
				t.Errorf("%s = %q: got error %v", path, b, err)
			}
		}
		field.Set(good)
	}
}

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", 2049)
	session := func(change func(*tokenstore.NewSession)) error {
		n := tokenstore.NewSession{ID: uuid.Must(uuid.NewV7()), Subject: "ann", Idle: time.Hour, Lifetime: time.Hour}
		change(&n)
		return n.Validate()
	}
	token := func(change func(*tokenstore.ProviderToken)) error {
		p := tokenstore.ProviderToken{Subject: "ann", Provider: "p", RefreshToken: []byte("r"), RefreshExpiresAt: time.Unix(1, 0)}
		change(&p)
		return p.Validate()
	}
	for want, got := range map[string]error{
		"session id is not a UUIDv7":                            session(func(n *tokenstore.NewSession) { n.ID = uuid.New() }),
		"subject is empty":                                      session(func(n *tokenstore.NewSession) { n.Subject = "" }),
		"subject is too long":                                   session(func(n *tokenstore.NewSession) { n.Subject = long }),
		"client id is too long":                                 session(func(n *tokenstore.NewSession) { n.ClientID = long }),
		"scope is too long":                                     session(func(n *tokenstore.NewSession) { n.Scope = long }),
		"claims are too long":                                   session(func(n *tokenstore.NewSession) { n.Claims = make([]byte, tokenstore.MaxClaims+1) }),
		"session's lifetime is not positive":                    session(func(n *tokenstore.NewSession) { n.Lifetime = 0 }),
		"provider is too long":                                  token(func(p *tokenstore.ProviderToken) { p.Provider = long }),
		"token has neither an access token nor a refresh token": token(func(p *tokenstore.ProviderToken) { p.RefreshToken, p.AccessToken = nil, nil }),
		"refresh token's expiry is missing":                     token(func(p *tokenstore.ProviderToken) { p.RefreshExpiresAt = time.Time{} }),
		"access token's hash is too long":                       token(func(p *tokenstore.ProviderToken) { p.AccessHash = []byte(long) }),
		"issuer is too long":                                    tokenstore.Identity{Issuer: long, Subject: "1"}.Validate(),
		"provider's subject is too long":                        tokenstore.Identity{Issuer: "i", Subject: long}.Validate(),
		"query has no condition":                                tokenstore.ProviderTokenQuery{AfterSubject: "ann"}.Validate(),
		"limit is not in 1 to 1000":                             tokenstore.SessionQuery{All: true, Limit: 1001}.Validate(),
		"id is missing":                                         tokenstore.OutboxEntry{}.Validate(),
		"kind holds NUL":                                        tokenstore.ValidateTake(1, []tokenstore.OutboxKind{"a", "\x00"}),
		"algorithm is too long":                                 tokenstore.SigningKey{ID: "k", Algorithm: long}.Validate(),
		"token id is too long":                                  tokenstore.ValidateTokenID(long, time.Unix(1, 0)),
		"expiry is missing":                                     tokenstore.ValidateTokenID("jti", time.Time{}),
		"generation has no successor":                           tokenstore.Rotation{Generation: 1<<32 - 1}.Validate(),
		"rotation never happened":                               tokenstore.ValidateUnrotation(0, time.Unix(1, 0)),
		"owner is not UTF-8":                                    tokenstore.ValidateRequired("owner", "\xff"),
		"subject holds NUL":                                     tokenstore.ValidateSubject("a\x00"),
		"time of rotation is not in the years 1 to 9999":        tokenstore.ValidateUnrotation(1, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)),
	} {
		if want += ": invalid argument"; got == nil || got.Error() != want || !errors.Is(got, tokenstore.ErrInvalid) {
			t.Errorf("got error %v, want %s", got, want)
		}
	}
}

// What is refused is refused for what it is, and the error does not quote it.
func FuzzValidate(f *testing.F) {
	f.Add("ann")
	f.Add("")
	f.Add("a\x00b")
	f.Add("\xed\xa0\x80")
	f.Add(strings.Repeat("ü", 128))
	f.Add("x" + strings.Repeat("😀", 128))
	plain := regexp.MustCompile(`^(subject|client id|scope|provider|key id|token id) (is empty|is not UTF-8|holds NUL|is too long): invalid argument$`)
	f.Fuzz(func(t *testing.T, s string) {
		clean := utf8.ValidString(s) && !strings.Contains(s, "\x00")
		id := uuid.Must(uuid.NewV7())
		for name, c := range map[string]struct {
			err  error
			good bool
		}{
			"text":     {tokenstore.ValidateText("subject", s), clean},
			"required": {tokenstore.ValidateRequired("subject", s), clean && s != ""},
			"subject":  {tokenstore.NewSession{ID: id, Subject: s, Idle: time.Hour, Lifetime: time.Hour}.Validate(), clean && s != "" && len(s) <= tokenstore.MaxSubject},
			"client": {
				tokenstore.NewSession{ID: id, Subject: "ann", ClientID: s, Idle: time.Hour, Lifetime: time.Hour}.Validate(),
				clean && len(s) <= tokenstore.MaxClientID,
			},
			"scope": {tokenstore.NewSession{ID: id, Subject: "ann", Scope: s, Idle: time.Hour, Lifetime: time.Hour}.Validate(), clean && len(s) <= tokenstore.MaxScope},
			"provider": {
				tokenstore.ProviderToken{Subject: "ann", Provider: s, RefreshToken: []byte{1}, RefreshExpiresAt: time.Unix(1, 0)}.Validate(),
				clean && s != "" && len(s) <= tokenstore.MaxIssuer,
			},
			"query":    {tokenstore.ProviderTokenQuery{All: true, KeyIDNot: s}.Validate(), clean},
			"token id": {tokenstore.ValidateTokenID(s, time.Unix(1, 0)), clean && s != "" && len(s) <= tokenstore.MaxTokenID},
		} {
			if (c.err == nil) != c.good {
				t.Errorf("%s %q: got error %v", name, s, c.err)
			}
			if c.err != nil && (!errors.Is(c.err, tokenstore.ErrInvalid) || !plain.MatchString(c.err.Error())) {
				t.Errorf("%s %q: got error %q", name, s, c.err)
			}
		}
		n := tokenstore.NewSession{UserAgent: s}
		cut := n.CutUserAgent()
		if !strings.HasPrefix(s, cut) || len(cut) > tokenstore.MaxUserAgent || len(s) <= tokenstore.MaxUserAgent && cut != s {
			t.Errorf("%q is cut to %q", s, cut)
		}
		if clean && (!utf8.ValidString(cut) || len(s) > tokenstore.MaxUserAgent && len(cut) <= tokenstore.MaxUserAgent-utf8.UTFMax) {
			t.Errorf("%q is cut to %q", s, cut)
		}
	})
}
