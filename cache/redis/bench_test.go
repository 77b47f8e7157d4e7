package redis

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

func unbounded(b *testing.B) *Store {
	return open(b, Options{URL: redistest.URL(b), Caps: cache.Caps{Owner: -1, Global: -1}})
}

// Each caller waits for its answer, so this is latency on one core and
// throughput with -cpu.
func BenchmarkStartFlow(b *testing.B) {
	store := unbounded(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := store.StartFlow(b.Context(), newFlow(uuid.NewString())); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkRedeemFlow(b *testing.B) {
	store := unbounded(b)
	f := newFlow("code")
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		f.Key = fmt.Sprint(i)
		if err := store.StartFlow(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := store.RedeemFlow(b.Context(), f.Key, f.Proof, f.Owner); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPollFlow(b *testing.B) {
	store := unbounded(b)
	f := newFlow("device")
	f.State = cache.Pending
	if err := store.StartFlow(b.Context(), f); err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := store.PollFlow(b.Context(), f.Key, f.Proof, f.Owner); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkAnnounce is from Announce on one node to receive on another.
func BenchmarkAnnounce(b *testing.B) {
	url := redistest.URL(b)
	sender, receiver := open(b, Options{URL: url}), open(b, Options{URL: url})
	received := make(chan struct{}, 1)
	err := receiver.Subscribe(b.Context(), func(cache.Announcement) { received <- struct{}{} }, func() {})
	if err != nil {
		b.Fatal(err)
	}
	revoked := cache.Announcement{Sessions: []uuid.UUID{uuid.New()}}
	for b.Loop() {
		if err := sender.Announce(b.Context(), revoked); err != nil {
			b.Fatal(err)
		}
		<-received
	}
}
