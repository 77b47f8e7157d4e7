package crash_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/crash"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const (
	workers = 8
	// grace is the gateway's for the refresh token before the current one, less
	// what a retry may take.
	grace = 25 * time.Second
	// retries is how long a redemption is tried again: less than a code lives.
	retries = 40 * time.Second
	// learned is how many secrets the gateway's log is searched for.
	learned = 300
)

// load is people, programs and devices at work.
type load struct {
	*testing.T
	crash.Ledger
	nodes []*gateway.Node
	kill  func(i int) // kills and restarts, for the i-th time

	over     atomic.Bool
	families atomic.Int64
	lost     atomic.Int64 // answers that never came
	overdue  atomic.Int64 // refreshes that got no answer within the grace
	again    atomic.Int64 // sign-outs that had to be said again
	retried  atomic.Int64 // redemptions that succeeded after a 503
	rounds   atomic.Uint32
	later    sync.WaitGroup

	mu     sync.Mutex
	held   map[string][]credential // of each family
	faults map[string]int          // answers that no outage excuses
	learnt int
}

func newLoad(t *testing.T, nodes []*gateway.Node) *load {
	t.Helper()
	l := &load{T: t, nodes: nodes, held: map[string][]credential{}, faults: map[string]int{}}
	l.Grace = time.Second // by the announcement
	return l
}

// run has the load go on through n kills, and judges.
func (l *load) run(n int) {
	l.Helper()
	ctx, stop := context.WithCancel(l.Context())
	defer stop()
	start := time.Now()
	go l.Pulse.Run(ctx)
	var running sync.WaitGroup
	for i := range workers {
		p := l.person(i)
		running.Go(func() { p.work(ctx) })
	}
	l.await(100)
	for i := range n {
		l.kill(i)
		l.await(60)
	}
	l.over.Store(true)
	running.Wait()
	l.later.Wait()

	last := time.Now()
	l.presentAll(ctx)
	faults := l.Judge(last)
	for _, fault := range faults[:min(len(faults), 40)] {
		l.Error(fault)
	}
	if len(faults) > 40 {
		l.Errorf("and %d faults more", len(faults)-40)
	}
	for text, times := range l.faults {
		l.Errorf("%d times: %s", times, text)
	}
	l.Logf("%d kills in %.0f s; %d confirmed answers: %d sessions, %d redemptions, %d rotations, %d accepted, %d refused, %d sessions ended, %d sign-outs said again; %d redemptions retried; %d answers lost, %d refreshes without an answer in %v; the machine stood still for %v",
		n, last.Sub(start).Seconds(), l.Confirmed(), l.Count(crash.Created), l.Count(crash.Redeemed), l.Count(crash.Rotated),
		l.Count(crash.Accepted), l.Count(crash.Refused), l.Count(crash.Ended), l.again.Load(), l.retried.Load(), l.lost.Load(), l.overdue.Load(), grace,
		l.Pulse.Stood().Round(time.Millisecond))
}

// await waits for n more confirmed answers.
func (l *load) await(n int) {
	l.Helper()
	target := l.Confirmed() + n
	for end := time.Now().Add(2 * time.Minute); l.Confirmed() < target; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			l.Fatal("the load came to a halt")
		}
	}
}

// family names a new session.
func (l *load) family(what string) string {
	return fmt.Sprintf("%s-%d", what, l.families.Add(1))
}

// created records a confirmed session and remembers its credentials.
func (l *load) created(family string, sent time.Time, credentials ...credential) {
	l.Record(crash.Answer{Kind: crash.Created, Family: family, Sent: sent, Got: time.Now()})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[family] = append(l.held[family], credentials...)
}

// failed notes an answer that did not come, or should not have.
func (l *load) failed(err error) {
	if _, unexpected := errors.AsType[*crash.UnexpectedError](err); !unexpected {
		l.lost.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults[err.Error()]++
}

// learn has the gateways' logs searched for some of the secrets.
func (l *load) learn(what, value string) {
	l.mu.Lock()
	l.learnt++
	enough := l.learnt > learned
	l.mu.Unlock()
	if !enough {
		l.nodes[0].Secrets.Learn(what, value)
	}
}

// check presents a credential once and records what the node says.
func (l *load) check(ctx context.Context, v *crash.Visitor, node int, family string, c credential) (accepted bool, err error) {
	sent := time.Now()
	accepted, err = c.present(ctx, v, node)
	if err != nil {
		l.failed(err)
		return false, err
	}
	kind := crash.Refused
	if accepted {
		kind = crash.Accepted
	}
	l.Record(crash.Answer{Kind: kind, Family: family, Sent: sent, Got: time.Now()})
	return accepted, nil
}

// insist presents a credential until there is an answer.
func (l *load) insist(ctx context.Context, v *crash.Visitor, node int, family string, c credential) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := l.check(ctx, v, node, family, c); err == nil {
			return
		} else if time.Now().After(end) {
			l.Errorf("%s: no answer within a minute: %v", family, err)
			return
		}
	}
}

// ending notes that families are about to be ended.
func (l *load) ending(families ...string) {
	for _, f := range families {
		l.Record(crash.Answer{Kind: crash.Ending, Family: f, Sent: time.Now(), Got: time.Now()})
	}
}

// ended records that families have ended, and has all nodes asked once the
// grace is over: a node that is down, as soon as it is up again.
func (l *load) ended(ctx context.Context, v *crash.Visitor, families ...string) {
	now := time.Now()
	for _, f := range families {
		l.Record(crash.Answer{Kind: crash.Ended, Family: f, Sent: now, Got: now})
	}
	l.later.Go(func() {
		time.Sleep(l.Grace + 20*time.Millisecond) // until then a node may not have heard
		for _, f := range families {
			for _, c := range l.credentials(f) {
				for node := range l.nodes {
					l.insist(ctx, v, node, f, c)
				}
			}
		}
	})
}

func (l *load) credentials(family string) []credential {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.held[family])
}

// presentAll presents every credential to every node.
func (l *load) presentAll(ctx context.Context) {
	l.mu.Lock()
	families := slices.Collect(maps.Keys(l.held))
	l.mu.Unlock()
	work := make(chan string)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			v := l.visitor(uint32(50_000 + i))
			defer v.Close()
			for family := range work {
				for _, c := range l.credentials(family) {
					for node := range l.nodes {
						l.insist(ctx, v, node, family, c)
					}
				}
			}
		})
	}
	for _, family := range families {
		work <- family
	}
	close(work)
	running.Wait()
}

func (l *load) visitor(source uint32) *crash.Visitor {
	v, err := crash.NewVisitor(source, routes(l.nodes)...)
	if err != nil {
		l.Error(err)
	}
	return v
}
