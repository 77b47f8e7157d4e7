package redis

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

// ledger remembers what callers were told, to be held against what they are
// told later.
type ledger struct {
	mu    sync.Mutex
	flows map[string]*account
}

type account struct {
	redeemed int  // times a redemption was confirmed
	unknown  bool // a redemption was cut off, and may have happened
}

func (l *ledger) started(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flows[key] = &account{}
}

func (l *ledger) answered(key string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.flows[key].redeemed++
	case errors.Is(err, cache.ErrUnavailable):
		l.flows[key].unknown = true
	}
}

// confirmed is how many flows are started, and how many redemptions confirmed.
func (l *ledger) confirmed() (flows, redemptions int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, account := range l.flows {
		redemptions += account.redeemed
	}
	return len(l.flows), redemptions
}

// envKills is how often TestCrash_RedeemsNothingTwice kills the server; 6 by
// default. The long run has 50 or more.
const envKills = "GATEHOUSE_TEST_KILLS"

func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv(envKills)
	switch {
	case text == "" && testing.Short():
		return 2
	case text == "":
		return 6
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s must be a number of kills: %q", envKills, text)
	}
	return n
}

// TestCrash_RedeemsNothingTwice kills the server under load, again and again,
// and holds each confirmed answer against what the restarted server says, for
// the flows of the load before at once and for all of them in the end. The
// server syncs each write before it answers, so nothing confirmed may be lost.
func TestCrash_RedeemsNothingTwice(t *testing.T) {
	rounds := kills(t)
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	options := Options{URL: server.URL(), Caps: cache.Caps{Owner: -1, Global: -1}}
	nodes := []*Store{open(t, options), open(t, options)}
	book := &ledger{flows: map[string]*account{}}
	for round := range rounds {
		prefix := fmt.Sprintf("code:%d:", round)
		underLoad(t, book, nodes, prefix, func(confirmed *atomic.Int64) {
			eventually(t, "redemptions to be under way", func() bool { return confirmed.Load() > 200 })
			server.Kill(t)
		})
		server.Restart(t)
		book.judge(t, nodes[0], prefix)
	}
	flows, redemptions := book.confirmed()
	book.judge(t, nodes[1], "")
	t.Logf("%d flows through %d crashes, %d redemptions confirmed, %d whose answer was lost", flows, rounds, redemptions, flows-redemptions)
}

// judge has every flow whose key has the prefix redeemed once more, and holds
// the answer against those before.
func (l *ledger) judge(t *testing.T, node *Store, prefix string) {
	t.Helper()
	for key, account := range l.flows {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		var err error
		eventually(t, "an answer after the restart", func() bool {
			_, err = node.RedeemFlow(t.Context(), key, newFlow(key).Proof, "")
			return !errors.Is(err, cache.ErrUnavailable)
		})
		l.answered(key, err)
		if account.redeemed > 1 {
			t.Fatalf("%s was redeemed %d times", key, account.redeemed)
		}
		if errors.Is(err, cache.ErrUsed) && account.redeemed == 0 && !account.unknown {
			t.Fatalf("%s is used, but nobody was told so", key)
		}
		if err != nil && !errors.Is(err, cache.ErrUsed) {
			t.Fatalf("%s, whose start was confirmed, is %v", key, err)
		}
	}
}

// underLoad starts flows and has two nodes redeem each at once, until crash has
// returned and everybody has noticed.
func underLoad(t *testing.T, book *ledger, nodes []*Store, prefix string, crash func(confirmed *atomic.Int64)) {
	t.Helper()
	var confirmed atomic.Int64
	var crashed atomic.Bool
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := 0; !crashed.Load(); i++ {
				key := fmt.Sprintf("%s%d:%d", prefix, worker, i)
				if nodes[i%2].StartFlow(t.Context(), newFlow(key)) != nil {
					continue
				}
				book.started(key)
				var pair sync.WaitGroup
				for _, node := range nodes {
					pair.Go(func() {
						_, err := node.RedeemFlow(t.Context(), key, newFlow(key).Proof, newFlow(key).Owner)
						book.answered(key, err)
						if err == nil {
							confirmed.Add(1)
						}
					})
				}
				pair.Wait()
			}
		})
	}
	crash(&confirmed)
	crashed.Store(true)
	workers.Wait()
}

func TestUnavailable_IsToldQuickly(t *testing.T) {
	for name, cut := range map[string]func(*redistest.Server){
		"dead":   func(s *redistest.Server) { s.Kill(t) },
		"frozen": func(s *redistest.Server) { s.Freeze(t) },
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			store := open(t, Options{URL: server.URL()})
			if err := store.StartFlow(t.Context(), newFlow("a")); err != nil {
				t.Fatal(err)
			}
			cut(server)
			begin := time.Now()
			_, err := store.RedeemFlow(t.Context(), "a", newFlow("a").Proof, newFlow("a").Owner)
			if !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("RedeemFlow = %v", err)
			}
			if took := time.Since(begin); took > 2*(dialTimeout+ioTimeout) {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestRestart_CostsNoCall has connections in the pool that the server no longer
// knows; they are noticed before they are used.
func TestRestart_CostsNoCall(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, Options{URL: server.URL()})
	for round := range 3 {
		var callers sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				if err := store.StartFlow(t.Context(), newFlow(fmt.Sprint(round, ":", i))); err != nil {
					t.Errorf("StartFlow after restart %d = %v", round, err)
				}
			})
		}
		callers.Wait()
		server.Kill(t)
		server.Restart(t)
	}
}

func TestUnavailable_FromTheStart(t *testing.T) {
	store := open(t, Options{URL: "redis://user:hunter2@127.0.0.1:1/0"})
	err := store.Ping(t.Context())
	if !errors.Is(err, cache.ErrUnavailable) {
		t.Fatalf("Ping = %v", err)
	}
}
