package device_test

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// startShared runs two nodes on a Postgres and a Redis.
func startShared(t *testing.T, redisURL string) *world {
	t.Helper()
	return startNamed(t, 2, `
		token_store postgres {env.DATABASE_URL}
		cache redis {env.REDIS_URL}
		secret {env.GATEHOUSE_SECRET}`, []string{
		"DATABASE_URL=" + postgrestest.URL(t), "REDIS_URL=" + redisURL,
		"GATEHOUSE_SECRET=a secret of this cluster, long enough",
	})
}

// perAddress flows are started from one address of this machine, below the cap
// of 200.
const perAddress = 150

// waiter is a flow that was started, by a program on each node.
type waiter struct {
	flow
	programs [2]*program
	pending  time.Time // when it was polled before it was approved; else zero
}

// crowd is many devices, and some people who approve them.
type crowd struct {
	t       *testing.T
	devices []*waiter
	people  [][2]*browser.Browser // by node

	mu        sync.Mutex
	delivered map[string]int // device code → how often
	tokens    map[string]bool
	refresh   []string
}

// gather starts devices on both nodes in turn, polls every second one, and
// signs people in.
func gather(t *testing.T, w *world, devices, people int) *crowd {
	t.Helper()
	c := &crowd{t: t, devices: make([]*waiter, devices), delivered: map[string]int{}, tokens: map[string]bool{}}
	var at [][2]*program
	for i := range (devices + perAddress - 1) / perAddress {
		address := fmt.Sprintf("127.0.0.%d", 10+i)
		at = append(at, [2]*program{w.program(t, 0, address, "cli"), w.program(t, 1, address, "cli")})
	}
	for i := range people {
		user := []string{"alice", "bob"}[i%2]
		c.people = append(c.people, [2]*browser.Browser{w.signedIn(t, 0, user), w.signedIn(t, 1, user)})
	}
	inParallel(16, devices, func(_, i int) {
		d := &waiter{programs: at[i/perAddress]}
		d.flow = d.programs[i%2].begin("scope", "openid offline_access")
		if i%4 < 2 {
			d.programs[1-i%2].poll(d.flow).want(t, http.StatusBadRequest, "authorization_pending")
			d.pending = time.Now()
		}
		c.devices[i] = d
	})
	return c
}

// inParallel calls do for each index, by so many workers.
func inParallel(workers, n int, do func(worker, i int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for i := range next {
				do(worker, i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// approve approves a device at the node where it was not started.
func (c *crowd) approve(worker, i int) {
	page := decide(c.t, c.people[worker][1-i%2], c.devices[i].flow, "approve")
	if page.Status != http.StatusOK {
		c.t.Errorf("approving answers %d: %s", page.Status, page.Text())
	}
}

// collect polls a device by several pollers on each node, all at once.
func (c *crowd) collect(d *waiter, pollers int) {
	c.settle(d)
	var all sync.WaitGroup
	for _, p := range d.programs {
		for range pollers {
			all.Go(func() { c.note(d, p.poll(d.flow)) })
		}
	}
	all.Wait()
}

// note keeps what a poll has brought.
func (c *crowd) note(d *waiter, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case a.status == http.StatusOK:
		c.delivered[d.deviceCode]++
		for _, name := range []string{"access_token", "refresh_token"} {
			if token := a.text(name); token == "" || c.tokens[token] {
				c.t.Errorf("no %s, or one that somebody else has: %v", name, a.fields)
			}
			c.tokens[a.text(name)] = true
		}
		c.refresh = append(c.refresh, a.text("refresh_token"))
	case a.text("error") == "slow_down", a.text("error") == "invalid_grant":
	default:
		c.t.Errorf("polling an approved flow answers %d %v", a.status, a.fields)
	}
}

// TestThousandDevices_EachTokenIsDeliveredExactlyOnce: started on one node,
// approved through the pages of the other, polled on both at once.
func TestThousandDevices_EachTokenIsDeliveredExactlyOnce(t *testing.T) {
	devices := 1000
	if testing.Short() {
		devices = 100
	}
	w := startShared(t, redistest.URL(t))
	begun := time.Now()
	c := gather(t, w, devices, 8)
	started := time.Since(begun)
	inParallel(len(c.people), devices, func(worker, i int) {
		i = (i + 2) % devices // first those that were not polled yet
		c.approve(worker, i)
		c.collect(c.devices[i], 2)
	})
	took := time.Since(begun)
	for _, d := range c.devices {
		if n := c.delivered[d.deviceCode]; n != 1 {
			t.Errorf("a flow was delivered %d times", n)
		}
	}
	t.Logf("%d flows: started in %v, approved and delivered in %v more, %.0f whole flows a second",
		devices, started.Round(time.Millisecond), (took - started).Round(time.Millisecond), float64(devices)/took.Seconds())

	// What was delivered is good, and nothing more is to be had.
	for i := 0; i < devices; i += devices / 20 {
		p := c.devices[i].programs[i%2]
		a := p.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh[i]}})
		if a.status != http.StatusOK {
			t.Errorf("refreshing answers %d %v", a.status, a.fields)
		}
		for _, p := range c.devices[i].programs {
			if a := p.poll(c.devices[i].flow); a.status == http.StatusOK {
				t.Error("a flow was delivered again")
			}
		}
	}
}
