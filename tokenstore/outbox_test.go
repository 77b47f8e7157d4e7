package tokenstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestRevocation(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	want := tokenstore.ProviderToken{
		Subject: "ann", Provider: "https://idp.example", ClientID: "ours",
		AccessToken: []byte{0, 0xff}, RefreshToken: []byte("sealed"), AccessHash: []byte{1}, RefreshHash: []byte{2}, KeyID: "k",
		TokenType: "Bearer", Scope: "openid <&>", IssuedAt: now, ExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(2 * time.Hour),
		AccessRevokedAt: now, NeedsReauth: true, Version: 1 << 60,
	}
	entry, err := tokenstore.NewRevocation(want, now)
	if err != nil {
		t.Fatal(err)
	}
	if entry.ID.Version() != 7 || entry.Kind != tokenstore.OutboxProviderRevocation || entry.Target != want.Provider ||
		!entry.NotBy.Equal(now.Add(tokenstore.RevocationRetention)) {
		t.Errorf("entry is %+v", entry)
	}
	got, err := entry.Revocation()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	entry.Kind = tokenstore.OutboxBackchannelLogout
	if _, err := entry.Revocation(); !errors.Is(err, tokenstore.ErrInvalid) {
		t.Errorf("another kind of entry: %v, want %v", err, tokenstore.ErrInvalid)
	}
}

// FuzzRevocation: a payload that cannot be read is ErrInvalid, and one that
// can survives another round.
func FuzzRevocation(f *testing.F) {
	entry, err := tokenstore.NewRevocation(tokenstore.ProviderToken{Subject: "ann", RefreshToken: []byte("r")}, time.Unix(0, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry.Payload)
	f.Add([]byte(`{"ExpiresAt":"9999-12-31T23:59:60Z"}`))
	f.Add([]byte(`null`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		entry := tokenstore.OutboxEntry{Kind: tokenstore.OutboxProviderRevocation, Payload: payload}
		first, err := entry.Revocation()
		if err != nil {
			if !errors.Is(err, tokenstore.ErrInvalid) {
				t.Fatalf("got error %v, want %v", err, tokenstore.ErrInvalid)
			}
			return
		}
		again, err := tokenstore.NewRevocation(first, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		second, err := again.Revocation()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("after another round (-first +second):\n%s", diff)
		}
	})
}
