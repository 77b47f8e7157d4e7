package device_test

import (
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

// patience of a poller with servers that are down.
const patience = 40 * time.Second

// finish polls as RFC 8628, section 3.5, wants it until there are tokens or a
// final error, and returns that and how often a poll was to be tried again.
func (p *program) finish(f flow, ask func() answer) (last answer, retried int) {
	interval := f.interval
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		last = ask()
		switch {
		case last.status == http.StatusServiceUnavailable:
			retried++
			if seconds, err := strconv.Atoi(last.header.Get("Retry-After")); err != nil || seconds < 1 {
				p.t.Errorf("Retry-After is %q", last.header.Get("Retry-After"))
			}
			if last.text("error") != "temporarily_unavailable" {
				p.t.Errorf("while Redis is down, a poll is answered %v", last.fields)
			}
			time.Sleep(200 * time.Millisecond) // less patient than asked for: more chances to go wrong
			continue
		case last.text("error") == "slow_down":
			interval += 5 * time.Second
		case last.text("error") != "authorization_pending":
			return last, retried
		}
		time.Sleep(interval + 50*time.Millisecond) // as devices have to
	}
	return last, retried
}

// ask polls a device, and notes its tokens.
func (c *crowd) ask(p *program, d *waiter) answer {
	a := p.poll(d.flow)
	if a.status == http.StatusOK {
		c.note(d, a)
	}
	return a
}

// TestRedisKilled_PollersAreToldToTryAgainAndNothingIsIssuedTwice kills Redis,
// which writes every change to disk, while devices wait: some not approved yet,
// some approved and not polled since, some in the very moment of delivery.
func TestRedisKilled_PollersAreToldToTryAgainAndNothingIsIssuedTwice(t *testing.T) {
	t.Parallel()
	const each, many = 8, 80
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	w := startShared(t, redis.URL())
	c := gather(t, w, 2*each+many, 4)
	waiting, quiet, busy := c.devices[:each], c.devices[:2*each], c.devices[2*each:]
	inParallel(len(c.people), each+many, func(worker, i int) { c.approve(worker, each+i) })
	for _, d := range busy {
		c.settle(d)
	}

	interrupted := c.deliver(busy)
	redis.Kill(t)
	for i, d := range quiet {
		d.programs[i%2].poll(d.flow).want(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	}
	start := w.program(t, 0, "127.0.0.9", "cli").post("device_authorization", url.Values{"scope": {"openid"}})
	start.want(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	if start.header.Get("Retry-After") == "" {
		t.Error("a start during the outage is not told when to try again")
	}
	redis.Restart(t)

	awaitUp(t, w)
	inParallel(len(c.people), len(waiting), func(worker, i int) { c.approve(worker, i) })
	inParallel(len(quiet), len(quiet), func(_, i int) {
		d := quiet[i]
		p := d.programs[i%2]
		if last, _ := p.finish(d.flow, func() answer { return c.ask(p, d) }); last.status != http.StatusOK {
			t.Errorf("after the outage, a flow ends with %d %v", last.status, last.fields)
		}
	})
	for _, d := range quiet {
		if n := c.delivered[d.deviceCode]; n != 1 {
			t.Errorf("a flow was delivered %d times", n)
		}
	}
	lost, polls := 0, 0
	for d, retried := range interrupted() {
		n := c.delivered[d.deviceCode]
		if n > 1 || n == 0 && retried == 0 {
			t.Errorf("a flow was delivered %d times, and %d of its polls were to be tried again", n, retried)
		}
		lost += 1 - n
		polls += retried
	}
	t.Logf("of %d deliveries around the moment of the crash, %d lost their answer with it; %d polls were to be tried again",
		len(busy), lost, polls)
}

// settle waits until a device may be polled again.
func (c *crowd) settle(d *waiter) {
	if !d.pending.IsZero() {
		time.Sleep(time.Until(d.pending.Add(d.interval + 100*time.Millisecond))) // as slow_down demands
	}
}

// deliver asks for approved devices on both nodes at once, and returns when the
// first token is there. On one node each is asked for once, on the other until
// there is an end: two that go on would slow each other down for ever. What it
// returns waits for the rest, and tells how many polls of each were to be tried
// again.
func (c *crowd) deliver(devices []*waiter) (interrupted func() map[*waiter]int) {
	var all sync.WaitGroup
	var once sync.Once
	first := make(chan struct{})
	retries := map[*waiter]int{}
	note := func(d *waiter, last answer, retried int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		retries[d] += retried
		switch {
		case last.status == http.StatusOK, last.status == http.StatusServiceUnavailable, last.text("error") == "invalid_grant", last.text("error") == "slow_down":
		default:
			c.t.Errorf("a delivery that was interrupted ends with %d %v", last.status, last.fields)
		}
	}
	for _, d := range devices {
		patient, other := d.programs[0], d.programs[1]
		ask := func(p *program) answer {
			a := c.ask(p, d)
			if a.status == http.StatusOK {
				once.Do(func() { close(first) })
			}
			return a
		}
		all.Go(func() {
			last, retried := patient.finish(d.flow, func() answer { return ask(patient) })
			note(d, last, retried)
		})
		all.Go(func() {
			last, retried := ask(other), 0
			if last.status == http.StatusServiceUnavailable {
				retried = 1
			}
			note(d, last, retried)
		})
	}
	select {
	case <-first:
	case <-time.After(patience):
		c.t.Error("no flow was delivered")
	}
	return func() map[*waiter]int { all.Wait(); return retries }
}

// awaitUp waits until both nodes have found Redis again.
func awaitUp(t *testing.T, w *world) {
	t.Helper()
	for node := range w.nodes {
		p := w.program(t, node, "127.0.0.9", "cli")
		for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			a := p.post("device_authorization", url.Values{"scope": {"openid"}})
			if a.status == http.StatusOK {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after the restart of Redis, a start is answered %d %v", a.status, a.fields)
			}
		}
	}
}
