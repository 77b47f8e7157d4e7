package vault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5" //nolint:depguard // reads what the store has written, past the store

	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// raw is everything that the store has written down, byte for byte as far as
// that can be had.
func (b *bed) raw() []byte {
	b.Helper()
	if !strings.HasPrefix(b.location, "postgres") {
		var all []byte
		files, err := filepath.Glob(b.location + "*") // the write-ahead log too
		b.ok(err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			b.ok(err)
			all = append(all, text...)
		}
		return all
	}
	conn, err := pgx.Connect(b.Context(), b.location)
	b.ok(err)
	defer func() { _ = conn.Close(b.Context()) }()
	var all []byte
	for _, query := range []string{
		`SELECT t::text FROM provider_token t`, `SELECT t::text FROM outbox t`,
		`SELECT encode(access_token, 'escape') || encode(refresh_token, 'escape') FROM provider_token`,
		`SELECT encode(payload, 'escape') FROM outbox`,
	} {
		rows, err := conn.Query(b.Context(), query)
		b.ok(err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		b.ok(err)
		all = append(all, strings.Join(lines, "\n")...)
	}
	return all
}

func TestNoTokenIsStoredInClear(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		c.Sources[0].RevokeDisplaced = true
		v := b.open(c)
		b.signIn(v)
		b.signIn(v) // the first goes to the outbox
		b.clock.advance(2 * time.Hour)
		b.fresh(v)
		raw := b.raw()
		for what, there := range map[string]string{"the row": "openid email", "the row's subject": "ann", "the outbox": "provider_revocation"} {
			if !bytes.Contains(raw, []byte(there)) {
				b.Fatalf("%s is not in what was read", what)
			}
		}
		for _, secret := range []string{"token-0001-in-clear", "token-0002-in-clear", "token-0003-in-clear"} {
			for _, kind := range []string{"access-", "refresh-"} {
				for how, text := range map[string]string{
					"in clear": kind + secret, "in base64": base64.StdEncoding.EncodeToString([]byte(kind + secret))[:24],
					"in hexadecimal": hex.EncodeToString([]byte(kind + secret)), "partly": secret,
				} {
					if bytes.Contains(raw, []byte(text)) {
						b.Errorf("%s%s is stored %s", kind, secret, how)
					}
				}
			}
		}
		if logs := b.logs.String(); strings.Contains(logs, "in-clear") {
			b.Errorf("a token was logged: %s", logs)
		}
	})
}

// A sealed token opens in its own place alone.
func TestRowsCannotBeSwapped(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		_, err := v.Put(b.Context(), "bob", "sso", b.op.grant(b.clock.now().Add(time.Hour)))
		b.ok(err)
		bob, err := b.store.ProviderToken(b.Context(), "bob", b.op.issuer())
		b.ok(err)
		for name, swap := range map[string]func(*tokenstore.ProviderToken){
			"another user's refresh token": func(t *tokenstore.ProviderToken) { t.RefreshToken = bob.RefreshToken },
			"another user's access token":  func(t *tokenstore.ProviderToken) { t.AccessToken = bob.AccessToken },
			"another column":               func(t *tokenstore.ProviderToken) { t.AccessToken = t.RefreshToken },
			"the other column":             func(t *tokenstore.ProviderToken) { t.RefreshToken = t.AccessToken },
			"another client":               func(t *tokenstore.ProviderToken) { t.ClientID = "other" },
			"damaged":                      func(t *tokenstore.ProviderToken) { t.RefreshToken[20] ^= 1 },
			"cut":                          func(t *tokenstore.ProviderToken) { t.RefreshToken = t.RefreshToken[:10] },
		} {
			b.signIn(v)
			row := b.row()
			swap(&row)
			_, err := b.store.UpdateProviderToken(b.Context(), row)
			b.ok(err)
			if got, err := v.Get(b.Context(), "ann", "sso"); !errors.Is(err, vault.ErrSealed) || got.AccessToken+got.RefreshToken != "" {
				b.Errorf("%s: %v, %v", name, got, err)
			}
			b.refuses(v, vault.ErrSealed)
		}
		// Another provider: its row, under this one's name.
		row := b.row()
		row.Provider = "https://other.example.com"
		_, err = b.store.StoreProviderToken(b.Context(), row, tokenstore.StoreOptions{})
		b.ok(err)
		if _, err := v.Get(b.Context(), "ann", row.Provider); !errors.Is(err, vault.ErrSealed) {
			b.Errorf("another provider: %v", err)
		}
		// The others are not affected.
		if _, err := v.Fresh(b.Context(), "bob", "sso", 0); err != nil {
			b.Error(err)
		}
		page, err := v.List(b.Context(), vault.Query{Provider: "sso"})
		b.ok(err)
		if len(page.Tokens) != 2 || !errors.Is(page.Tokens[0].Err, vault.ErrSealed) || page.Tokens[1].Err != nil {
			b.Errorf("listed %v", page.Tokens)
		}
	})
}
