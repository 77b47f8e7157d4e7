package bench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// benchRows is the number of sessions of the Go benchmarks.
const benchRows = 10_000

func newBenchBed(b *testing.B) *bed {
	b.Helper()
	return newBed(b, postgrestest.Start(b, postgrestest.Options{}), benchRows)
}

func BenchmarkRotate(b *testing.B) {
	bed := newBenchBed(b)
	var client atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		n := int(client.Add(1)) // a session of its own
		for generation := uint32(0); pb.Next(); generation++ {
			if _, err := bed.store.Rotate(context.Background(), tokenstore.Rotation{
				ID: bed.id(bed.month, n), Generation: generation, SecretHash: []byte(secretHash), ClientID: clientID, Grace: 30 * time.Second,
			}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkSession(b *testing.B) {
	bed := newBenchBed(b)
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := bed.store.Session(context.Background(), bed.id(bed.month, int(next.Add(1)%benchRows))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkRevalidate asks for a thousand sessions at a time and touches one in
// ten, as a node does at each tick.
func BenchmarkRevalidate(b *testing.B) {
	bed := newBenchBed(b)
	ids := make([]uuid.UUID, 1000)
	for n := range ids {
		ids[n] = bed.id(bed.month, n*(benchRows/len(ids)))
	}
	for b.Loop() {
		if _, _, err := bed.store.Revalidate(context.Background(), ids, ids[:100]); err != nil {
			b.Fatal(err)
		}
	}
}
