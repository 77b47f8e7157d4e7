package memory

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

func unbounded() *Store { return New(Options{Caps: cache.Caps{Owner: -1, Global: -1}}) }

func BenchmarkStartFlow(b *testing.B) {
	store := unbounded()
	defer store.Close()
	for i := 0; b.Loop(); i++ {
		if err := store.StartFlow(b.Context(), newFlow(fmt.Sprint(i))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRedeemFlow(b *testing.B) {
	store := unbounded()
	defer store.Close()
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
	store := unbounded()
	defer store.Close()
	f := newFlow("device")
	f.State, f.Validity = cache.Pending, time.Hour
	if err := store.StartFlow(b.Context(), f); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := store.PollFlow(b.Context(), f.Key, f.Proof, f.Owner); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnnounce is from Announce to receive.
func BenchmarkAnnounce(b *testing.B) {
	store := unbounded()
	defer store.Close()
	received := make(chan struct{}, 1)
	err := store.Subscribe(b.Context(), func(cache.Announcement) { received <- struct{}{} }, func() {})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := store.Announce(b.Context(), cache.Announcement{Subjects: []string{"s"}}); err != nil {
			b.Fatal(err)
		}
		<-received
	}
}
