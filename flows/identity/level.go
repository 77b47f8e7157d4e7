package identity

import (
	"slices"
	"time"
)

// Level is how somebody proved who they are, in an earlier sign-in of the same person
// in the same browser than the one that the claims are of. It has an age of its own,
// and ends when that sign-in would have ended.
type Level struct {
	// ACR is the authentication context class (OpenID Connect Core, section 2).
	ACR string `json:"acr"`
	// At is when; zero where the provider did not tell.
	At time.Time `json:"at,omitzero"`
	// Until is when it counts no more.
	Until time.Time `json:"until"`
}

// maxLevels bounds what is kept of earlier sign-ins.
const maxLevels = 4

// KeepLevels takes over the levels of a former sign-in of the same person, which ends
// at until. One of the same class as this sign-in's has had its day.
func (c *Claims) KeepLevels(former *Claims, until, now time.Time) {
	c.Levels = nil
	c.keepLevel(Level{ACR: former.ACR, At: former.AuthTime, Until: until}, now)
	for _, l := range former.Levels {
		c.keepLevel(l, now)
	}
}

func (c *Claims) keepLevel(l Level, now time.Time) {
	known := slices.ContainsFunc(c.Levels, func(k Level) bool { return k.ACR == l.ACR })
	if l.ACR != "" && l.ACR != c.ACR && !known && now.Before(l.Until) && len(c.Levels) < maxLevels {
		c.Levels = append(c.Levels, l)
	}
}

// Proved reports whether somebody proved who they are in a way of one of these classes,
// and when that was; zero if it is not known. Without classes, any way counts.
func (c *Claims) Proved(acr []string, now time.Time) (at time.Time, ok bool) {
	if len(acr) == 0 || c.ACR != "" && slices.Contains(acr, c.ACR) {
		at, ok = c.AuthTime, true
	}
	for i := range c.Levels {
		l := &c.Levels[i]
		if !now.Before(l.Until) || len(acr) > 0 && !slices.Contains(acr, l.ACR) {
			continue
		}
		if !ok || l.At.After(at) {
			at, ok = l.At, true
		}
	}
	return at, ok
}

// ACRs are the classes that hold now, that of the latest sign-in first.
func (c *Claims) ACRs(now time.Time) []string {
	var held []string
	if c.ACR != "" {
		held = append(held, c.ACR)
	}
	for _, l := range c.Levels {
		if now.Before(l.Until) {
			held = append(held, l.ACR)
		}
	}
	return held
}

// SetLevel makes the claims those of one class of a list, if there is one that holds,
// and forgets the others: a token says one.
func (c *Claims) SetLevel(acr []string, now time.Time) {
	for _, l := range c.Levels {
		if len(acr) > 0 && !slices.Contains(acr, c.ACR) && slices.Contains(acr, l.ACR) && now.Before(l.Until) {
			c.ACR, c.AuthTime, c.AMR = l.ACR, l.At, nil
			break
		}
	}
	c.Levels = nil
}
