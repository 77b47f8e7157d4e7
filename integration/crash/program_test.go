package crash_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/crash"
)

// redeem exchanges a code or device code for tokens, at one node or at both at
// once, and goes on as a program with them. A code that was presented twice
// ends what was issued, so nothing more is expected of that. Who is told to try
// again does so, and must get the tokens.
func (p *person) redeem(ctx context.Context, client, code string, form url.Values, twice bool) error {
	form.Set("client_id", client)
	family, sent := p.family(client), time.Now()
	var mu sync.Mutex
	var got tokens
	present := func(node int) {
		var answer tokens
		status, err := p.Post(ctx, node, issuer+"/token", form, &answer)
		told, waits := errors.Is(err, crash.ErrNotNow), 0
		for end := time.Now().Add(retries); errors.Is(err, crash.ErrNotNow) && time.Now().Before(end); waits++ {
			time.Sleep(20 * time.Millisecond)
			node = (node + 1) % len(p.nodes)
			answer = tokens{}
			status, err = p.Post(ctx, node, issuer+"/token", form, &answer)
		}
		switch {
		case !told || err != nil || twice:
		case answer.Error == "invalid_grant":
			p.Errorf("%s: the code was consumed by %d answers that told to try again", family, waits)
		case status == http.StatusOK:
			p.retried.Add(1)
		}
		switch {
		case err != nil:
			p.failed(err)
		case status == http.StatusOK:
			p.Record(crash.Answer{Kind: crash.Redeemed, Family: family, Key: code, Sent: sent, Got: time.Now()})
			mu.Lock()
			got = answer
			mu.Unlock()
		case answer.Error == "invalid_grant", answer.Error == "authorization_pending", answer.Error == "slow_down":
		default:
			p.failed(&crash.UnexpectedError{Path: "/token", Status: status, Text: answer.Error})
		}
	}
	if twice {
		p.both(present)
	} else {
		present(rand.IntN(len(p.nodes)))
	}
	if got.Refresh == "" || twice && client == "web" {
		return nil
	}
	p.learn("access token", got.Access)
	p.learn("refresh token", got.Refresh)
	program := &refreshToken{client: client, token: got.Refresh, ledger: &p.Ledger, family: family}
	p.created(family, sent, program, accessToken(got.Access))
	p.use(ctx, program, accessToken(got.Access))
	return nil
}

// use refreshes some times, and ends one session in three.
func (p *person) use(ctx context.Context, c *refreshToken, access accessToken) {
	for range 1 + rand.IntN(6) {
		_, _ = p.check(ctx, p.Visitor, rand.IntN(len(p.nodes)), c.family, access)
		if !p.refresh(ctx, c) {
			return
		}
	}
	if rand.IntN(3) > 0 {
		return
	}
	p.both(func(node int) { _, _ = p.check(ctx, p.Visitor, node, c.family, access) }) // warm
	p.ending(c.family)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var answer tokens
		status, err := p.Post(ctx, rand.IntN(len(p.nodes)), issuer+"/revoke", url.Values{"token": {c.token}, "client_id": {c.client}}, &answer)
		if err == nil && status == http.StatusOK {
			p.ended(ctx, p.Visitor, c.family)
			return
		}
		p.failed(err)
	}
	p.Errorf("%s could not be revoked within a minute", c.family)
}

// refresh rotates as the rules say: a lost answer is asked for again with the
// same token. One in four is asked for at both nodes at once.
func (p *person) refresh(ctx context.Context, c *refreshToken) bool {
	first := time.Now()
	ask := func(node int) string {
		for ; ; node = (node + 1) % len(p.nodes) {
			sent := time.Now()
			_, successor, err := c.exchange(ctx, p.Visitor, node)
			switch {
			case err == nil && successor != "":
				return successor
			case time.Since(first) > grace:
				p.overdue.Add(1)
				p.ending(c.family) // the rules give no promise any more
				return ""
			case err == nil:
				p.Record(crash.Answer{Kind: crash.Refused, Family: c.family, Sent: sent, Got: time.Now()})
				return ""
			}
			p.failed(err)
			time.Sleep(10 * time.Millisecond)
		}
	}
	successors := make([]string, len(p.nodes))
	if rand.IntN(4) == 0 {
		p.both(func(node int) { successors[node] = ask(node) })
	} else {
		successors[0] = ask(rand.IntN(len(p.nodes)))
	}
	for _, successor := range successors {
		if successor != "" {
			c.token = successor
			return true
		}
	}
	return false
}
