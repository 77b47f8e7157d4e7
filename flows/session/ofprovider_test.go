package session

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

func TestOfProvider(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	from := func(issuer, sid string) func(*Start) {
		return func(s *Start) { s.Claims.Issuer, s.Claims.ProviderSession = issuer, sid }
	}
	const google, other = "https://accounts.google.com", "https://other.example"
	first, again := n.signIn(from(google, "one")), n.signIn(from(google, "one"))
	n.signIn(childOf(first, "wiki.example.com"), from(google, "one"))
	n.signIn(from(google, "two"))
	n.signIn(from(other, "one"))
	n.signIn(from(google, ""))
	for _, tt := range []struct {
		issuer, sid string
		want        []uuid.UUID
	}{
		{google, "one", []uuid.UUID{again.Session.ID, first.Session.ID}},
		{google, "three", nil},
		{google, "", nil},
	} {
		got, err := n.OfProvider(t.Context(), tt.issuer, tt.sid)
		slices.SortFunc(got, func(a, b uuid.UUID) int { return slices.Compare(b[:], a[:]) })
		slices.SortFunc(tt.want, func(a, b uuid.UUID) int { return slices.Compare(b[:], a[:]) })
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s at %s: %v (%v), want %v", tt.sid, tt.issuer, got, err, tt.want)
		}
	}
}
