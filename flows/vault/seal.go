package vault

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Labels of the keys that seal tokens and of those that hash them.
const (
	sealLabel        = "provider token"
	accessHashLabel  = "provider access token hash"
	refreshHashLabel = "provider refresh token hash"
)

// The columns that hold sealed tokens, in the table of this name.
const (
	table         = "provider_token"
	accessColumn  = "access_token"
	refreshColumn = "refresh_token"
)

// seal puts tokens into a row, under the current key. An empty one stays empty.
func (v *Vault) seal(row tokenstore.ProviderToken, access, refresh string) tokenstore.ProviderToken {
	row.AccessToken, row.AccessHash = nil, nil
	if access != "" {
		row.AccessToken = v.Keyring.Seal(sealLabel, place(row, accessColumn), []byte(access))
		row.AccessHash = v.Keyring.MAC(accessHashLabel, []byte(access))
	}
	row.RefreshToken, row.RefreshHash = nil, nil
	if refresh != "" {
		row.RefreshToken = v.Keyring.Seal(sealLabel, place(row, refreshColumn), []byte(refresh))
		row.RefreshHash = v.Keyring.MAC(refreshHashLabel, []byte(refresh))
	}
	row.KeyID = v.Keyring.KeyID()
	return row
}

// open reads a row. Its error is ErrKey or ErrSealed, and the token's Err too.
func (v *Vault) open(row tokenstore.ProviderToken) (Token, error) {
	t := Token{ProviderToken: row}
	if s := v.source(row.Provider); s != nil {
		t.ProviderName = s.Name()
	}
	var refresh string
	var err error
	if row.CanRefresh() {
		refresh, err = v.openColumn(row, refreshColumn, row.RefreshToken)
	}
	if err == nil && len(row.AccessToken) > 0 {
		t.AccessToken, err = v.openColumn(row, accessColumn, row.AccessToken)
	}
	if err != nil {
		t.AccessToken, t.Err = "", err
		return t, err
	}
	t.RefreshToken = refresh
	return t, nil
}

func (v *Vault) openColumn(row tokenstore.ProviderToken, column string, sealed []byte) (string, error) {
	plain, err := v.Keyring.Open(sealLabel, place(row, column), sealed)
	switch {
	case errors.Is(err, keyring.ErrKey):
		return "", fmt.Errorf("opening %s: %w %q", column, ErrKey, row.KeyID)
	case err != nil:
		return "", fmt.Errorf("opening %s: %w", column, ErrSealed)
	}
	return string(plain), nil
}

// place is where a sealed token stands, the associated data of its seal. Every
// part is preceded by its length, so that no other division of the same bytes
// is the same place.
func place(row tokenstore.ProviderToken, column string) []byte {
	var b []byte
	for _, part := range []string{table, row.Subject, row.Provider, row.ClientID, column} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
