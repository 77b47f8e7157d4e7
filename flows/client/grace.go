package client

import (
	"fmt"
	"time"
)

// DefaultRefreshGrace is long enough for a lost answer to be asked for again, and too
// short to be worth stealing.
const DefaultRefreshGrace = 30 * time.Second

// MaxRefreshGrace is the longest grace.
const MaxRefreshGrace = time.Minute

// endless is longer than any session lives.
const endless = 100 * 365 * 24 * time.Hour

func (c *Client) validateGrace() error {
	if c.RefreshGrace == 0 {
		c.RefreshGrace = DefaultRefreshGrace
	}
	if c.RefreshGrace < time.Second || c.RefreshGrace > MaxRefreshGrace {
		return fmt.Errorf("client %q: refresh_grace can be from a second to %v, not %v", c.ID, MaxRefreshGrace, c.RefreshGrace)
	}
	return nil
}

// GraceOf is how long after a rotation the refresh token before the current one is
// answered with the current one, which nobody has used yet. Whoever has proven to be
// the client may have lost the answer at any time; of a public client's bearer token
// two may have hold, who would take turns, and so it is reuse once the grace is over
// (RFC 9700, section 4.14.2). bound tells that the request proved the key that the
// token is bound to.
func (c *Client) GraceOf(bound bool) time.Duration {
	if !c.Public || bound {
		return endless
	}
	return c.RefreshGrace
}
