package sqlite_test

import (
	"crypto/sha256"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// benchStore is a store with one subject and, so that the trees have some
// depth, a few thousand sessions.
func benchStore(b *testing.B) (*sqlite.Store, []tokenstore.Session) {
	b.Helper()
	s := migrated(b, filepath.Join(b.TempDir(), "gatehouse.db"), sqlite.Options{})
	_, err := s.SignIn(b.Context(), tokenstore.SignIn{
		Identity:   tokenstore.Identity{Issuer: "https://idp.example", Subject: "ann"},
		NewSubject: "ann",
	})
	if err != nil {
		b.Fatal(err)
	}
	sessions := make([]tokenstore.Session, 2000)
	for i := range sessions {
		if sessions[i], err = s.CreateSession(b.Context(), benchSession()); err != nil {
			b.Fatal(err)
		}
	}
	return s, sessions
}

func benchSession() tokenstore.NewSession {
	sum := sha256.Sum256([]byte("secret"))
	return tokenstore.NewSession{
		ID:         uuid.Must(uuid.NewV7()),
		Subject:    "ann",
		ClientID:   "app",
		Scope:      "openid profile offline_access",
		Claims:     make([]byte, 600),
		SecretHash: sum[:],
		Idle:       7 * 24 * time.Hour,
		Lifetime:   30 * 24 * time.Hour,
		UserAgent:  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	}
}

func BenchmarkRotate(b *testing.B) {
	s, sessions := benchStore(b)
	generations := make([]uint32, len(sessions))
	i := 0
	for b.Loop() {
		n := i % len(sessions)
		r, err := s.Rotate(b.Context(), tokenstore.Rotation{
			ID: sessions[n].ID, Generation: generations[n], SecretHash: sessions[n].SecretHash, ClientID: "app",
		})
		if err != nil {
			b.Fatal(err)
		}
		generations[n] = r.Session.Generation
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rotations/s")
}

func BenchmarkCreateSession(b *testing.B) {
	s, _ := benchStore(b)
	for b.Loop() {
		if _, err := s.CreateSession(b.Context(), benchSession()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSession(b *testing.B) {
	s, sessions := benchStore(b)
	i := 0
	for b.Loop() {
		if _, err := s.Session(b.Context(), sessions[i%len(sessions)].ID); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkRevalidate100(b *testing.B) {
	s, sessions := benchStore(b)
	ids := make([]uuid.UUID, 100)
	for i := range ids {
		ids[i] = sessions[i*len(sessions)/len(ids)].ID
	}
	for _, bb := range []struct {
		name  string
		touch []uuid.UUID
	}{{"look", nil}, {"touch", ids}} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				states, _, err := s.Revalidate(b.Context(), ids, bb.touch)
				if err != nil || len(states) != len(ids) {
					b.Fatalf("%d states, error %v", len(states), err)
				}
			}
		})
	}
}
