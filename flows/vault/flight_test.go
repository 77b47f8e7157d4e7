package vault

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Two callers share a refresh only if they ask for the same row: with parts put
// together without a boundary, one user's name could make up another's key
// (CVE-2026-71326).
func TestFlightKey_TellsRowsApart(t *testing.T) {
	rows := map[string]tokenstore.ProviderToken{}
	for _, version := range []int64{1, 11, 111} {
		for _, subject := range []string{"", "a", "ab", "1", "1:a", "a:", "2:ab", "11:a"} {
			for _, provider := range []string{"", "b", "bc", ":b", "a", "a1:"} {
				row := tokenstore.ProviderToken{Version: version, Subject: subject, Provider: provider}
				key := flightKey(row)
				if other, there := rows[key]; there {
					t.Errorf("%d %q %q and %d %q %q are both %q", version, subject, provider, other.Version, other.Subject, other.Provider, key)
				}
				rows[key] = row
			}
		}
	}
}
