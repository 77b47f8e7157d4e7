package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// rotateByStore has clients rotate sessions at random, each its own.
func (b *bed) rotateByStore(d time.Duration) sample {
	generations := b.startGenerations() // takes longer than d where there are millions
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	start := time.Now()
	times := b.rotateUntil(ctx, generations)
	return summary(times, time.Since(start))
}

// startGenerations reads the generation of every session, once: rotateUntil
// keeps them, and pgbench changes none.
func (b *bed) startGenerations() []uint32 {
	if b.generations != nil {
		return b.generations
	}
	generations := make([]uint32, b.rows)
	rows, err := b.db.Query(context.Background(), "SELECT gen FROM "+b.table()+" ORDER BY id")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if err := rows.Scan(&generations[n]); err != nil {
			b.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	b.generations = generations
	return generations
}

// timing is when a rotation began and how long it took.
type timing struct {
	start time.Time
	took  time.Duration
}

func (b *bed) rotateUntil(ctx context.Context, generations []uint32) []timing {
	var clients sync.WaitGroup
	times := make([][]timing, *clientsFlag)
	for client := range *clientsFlag {
		clients.Go(func() {
			for ctx.Err() == nil {
				n := rand.IntN(b.rows / *clientsFlag)**clientsFlag + client
				start := time.Now()
				result, err := b.store.Rotate(context.Background(), tokenstore.Rotation{
					ID: b.id(b.month, n), Generation: generations[n], SecretHash: []byte(secretHash), ClientID: clientID,
					Grace: 30 * time.Second,
				})
				if err != nil || result.Retry {
					b.Errorf("rotating: %v, a retry: %v", err, result.Retry)
					return
				}
				generations[n]++
				times[client] = append(times[client], timing{start, time.Since(start)})
			}
		})
	}
	clients.Wait()
	return slices.Concat(times...)
}

func summary(times []timing, took time.Duration) sample {
	s := sample{rotations: len(times), took: took}
	var sum time.Duration
	for _, t := range times {
		sum += t.took
	}
	s.mean = milliseconds(sum) / float64(max(len(times), 1))
	s.p99 = percentile(times, 0.99)
	return s
}

func percentile(times []timing, p float64) float64 {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(times), func(a, b timing) int { return int(a.took - b.took) })
	return milliseconds(sorted[int(float64(len(sorted)-1)*p)].took)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var (
	pgbenchCount   = regexp.MustCompile(`number of transactions actually processed: (\d+)`)
	pgbenchLatency = regexp.MustCompile(`latency average = ([\d.]+) ms`)
)

// rotateByPgbench does the bare UPDATE. It leaves the generation, so that the
// store knows it still; what is written is as much.
func (b *bed) rotateByPgbench(d time.Duration) sample {
	script := filepath.Join(b.TempDir(), "rotate.sql")
	text := fmt.Sprintf(`\set n random(0, %d)
UPDATE %s SET gen = gen, rotated_before = rotated_at, rotated_at = clock_timestamp() WHERE id = `+idExpression+";\n",
		b.rows-1, b.table(), fmt.Sprintf("%d + :n::bigint", b.month.UnixMilli()), ":n::bigint")
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command(postgrestest.Binary(b, "pgbench"), "-n", "-M", "prepared",
		"-c", strconv.Itoa(*clientsFlag), "-j", "2", "-T", strconv.Itoa(int(d.Seconds())), "-f", script, b.url).CombinedOutput()
	if err != nil {
		b.Fatalf("running pgbench: %v\n%s", err, out)
	}
	count, latency := pgbenchCount.FindSubmatch(out), pgbenchLatency.FindSubmatch(out)
	if count == nil || latency == nil {
		b.Fatalf("pgbench said:\n%s", out)
	}
	s := sample{took: d}
	if s.rotations, err = strconv.Atoi(string(count[1])); err != nil {
		b.Fatal(err)
	}
	if s.mean, err = strconv.ParseFloat(string(latency[1]), 64); err != nil {
		b.Fatal(err)
	}
	return s
}

var _ testing.TB = (*bed)(nil)
