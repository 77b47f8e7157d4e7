package stepup

import (
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// String is the requirement as a Caddyfile has it, in one line.
func (q *Requirement) String() string {
	var said []string
	if len(q.ACR) > 0 {
		said = append(said, "acr "+strings.Join(q.ACR, " "))
	}
	if q.MaxAge > 0 {
		said = append(said, "max_age "+q.MaxAge.String())
	}
	if len(q.Scope) > 0 {
		said = append(said, "scope "+strings.Join(q.Scope, " "))
	}
	return strings.Join(said, ", ")
}

// Missing is what somebody has not proved, for operators, or "" if it is met. Scopes are
// of a token, and nobody's.
func (q *Requirement) Missing(c *identity.Claims, now time.Time) string {
	if q.IsMet(c, now) {
		return ""
	}
	at, ok := c.Proved(q.ACR, now)
	held := c.ACRs(now)
	switch {
	case !ok && len(held) == 0:
		return "the provider has reported no acr"
	case !ok:
		return "acr is " + strings.Join(held, ", ")
	case at.IsZero():
		return "when they authenticated is not known"
	case at.After(now):
		return "they authenticated in the future, at " + at.UTC().Format(time.RFC3339)
	}
	return "they authenticated " + now.Sub(at).Round(time.Second).String() + " ago"
}
