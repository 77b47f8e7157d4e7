package bench

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// timings is a tracer that times DDL.
type timings struct {
	mu           sync.Mutex
	detach, drop time.Duration
	detaching    []timing // when each of them ran
}

type started struct {
	at  time.Time
	sql string
}

type startedKey struct{}

func (*timings) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(data.SQL, "DETACH") && !strings.HasPrefix(data.SQL, "DROP") {
		return ctx
	}
	return context.WithValue(ctx, startedKey{}, started{time.Now(), data.SQL})
}

func (t *timings) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	s, ok := ctx.Value(startedKey{}).(started)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if took := time.Since(s.at); strings.HasPrefix(s.sql, "DROP") {
		t.drop = max(t.drop, took)
	} else {
		t.detach = max(t.detach, took)
		t.detaching = append(t.detaching, timing{s.at, took})
	}
}

// reportRemoval has maintenance remove the old month while clients rotate.
func (b *bed) reportRemoval(quiet float64) {
	generations := b.startGenerations()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var times []timing
	running.Go(func() { times = b.rotateUntil(ctx, generations) })

	wait(time.Duration(*secondsFlag) * time.Second)
	begin := time.Now()
	report, err := b.store.Maintain(context.Background(), 30*24*time.Hour)
	end := time.Now()
	wait(time.Second)
	stop()
	running.Wait()
	if err != nil {
		b.Fatal(err)
	}
	var before, detaching, meanwhile []timing
	for _, t := range times {
		switch finished := t.start.Add(t.took); {
		case finished.Before(begin):
			before = append(before, t)
		case b.timed.whileDetaching(t):
			detaching = append(detaching, t)
		case t.start.Before(end.Add(time.Second)):
			meanwhile = append(meanwhile, t)
		}
	}
	b.Logf("months removed: %v; detached in %.3f s, dropped in %.3f s, maintenance took %.3f s",
		report.Dropped, b.timed.detach.Seconds(), b.timed.drop.Seconds(), end.Sub(begin).Seconds())
	b.Logf("p99 of rotations: %.2f ms in the seconds before, %.2f ms of the %d while months were detached, "+
		"%.2f ms while they were dropped and a second longer (measured alone %.2f ms)",
		percentile(before, 0.99), percentile(detaching, 0.99), len(detaching), percentile(meanwhile, 0.99), quiet)
}

// whileDetaching reports whether a rotation ran at the same time as a DETACH.
func (t *timings) whileDetaching(r timing) bool {
	return slices.ContainsFunc(t.detaching, func(d timing) bool {
		return r.start.Before(d.start.Add(d.took)) && d.start.Before(r.start.Add(r.took))
	})
}

func wait(d time.Duration) { <-time.After(d) }
