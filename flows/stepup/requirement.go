// Package stepup is what a guard requires beyond a sign-in: how, and how long ago,
// somebody authenticated (RFC 9470), and which scopes an access token must have.
package stepup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/scope"
)

// Requirement is what a place demands. The zero one demands nothing.
type Requirement struct {
	// ACR are classes of authentication, of which one must hold.
	ACR []string
	// MaxAge is how long ago that may have been. Default: any time.
	MaxAge time.Duration
	// Scope that an access token must have, all of it. Who has signed in at the site has
	// delegated nothing, and needs none.
	Scope []string
}

// MinMaxAge is the least MaxAge: who signs in needs time to come back, and clocks differ.
const MinMaxAge = time.Minute

// maxACR bounds a class, in bytes, and maxACRs all of a requirement: they travel in
// addresses.
const (
	maxACR  = 128
	maxACRs = 255
)

// Validate refuses a requirement that nobody could meet, or that cannot be told to a
// client.
func (q *Requirement) Validate() error {
	if q.MaxAge != 0 && (q.MaxAge < MinMaxAge || q.MaxAge%time.Second != 0) {
		return fmt.Errorf("max_age must be at least %s and whole seconds, not %s: people need time to come back from the sign-in", "1m", q.MaxAge)
	}
	for _, acr := range q.ACR {
		if !scope.IsToken(acr) || len(acr) > maxACR {
			return fmt.Errorf("acr %.40q is not valid: write printable ASCII without spaces, quotes and backslashes, at most %d bytes", acr, maxACR)
		}
	}
	if len(strings.Join(q.ACR, " ")) > maxACRs {
		return fmt.Errorf("the acr values are longer than %d bytes in total", maxACRs)
	}
	for _, s := range q.Scope {
		if !scope.IsToken(s) {
			return fmt.Errorf("scope %.40q is not valid (RFC 6749, section 3.3)", s)
		}
	}
	return nil
}

// IsMet reports whether somebody has proved who they are as is demanded.
func (q *Requirement) IsMet(c *identity.Claims, now time.Time) bool {
	if len(q.ACR) == 0 && q.MaxAge == 0 {
		return true
	}
	at, ok := c.Proved(q.ACR, now)
	return ok && (q.MaxAge == 0 || IsWithin(at, now, q.MaxAge))
}

// skew is how far the clock of who told a time may be ahead of ours.
const skew = time.Minute

// IsWithin reports whether a time was at most so long ago. One that is yet to come would
// be recent for as long as its author likes, and so is not.
func IsWithin(at, now time.Time, limit time.Duration) bool {
	age := now.Sub(at)
	return age >= -skew && age <= limit
}

// Challenge is what a client is told to come back with, as the parameters of a
// WWW-Authenticate header (RFC 9470, section 3).
func (q *Requirement) Challenge() string {
	said := `error="insufficient_user_authentication", error_description="` + q.description() + `"`
	if len(q.ACR) > 0 {
		said += `, acr_values="` + strings.Join(q.ACR, " ") + `"`
	}
	if q.MaxAge > 0 {
		said += `, max_age="` + strconv.FormatInt(int64(q.MaxAge/time.Second), 10) + `"`
	}
	return said
}

func (q *Requirement) description() string {
	if len(q.ACR) > 0 {
		return "a different level of authentication is required"
	}
	return "a more recent authentication is required"
}

var errStep = errors.New("step-up is malformed or too old")
