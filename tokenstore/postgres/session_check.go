package postgres

import (
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// newSession refuses a session that no store may accept.
func (c *checker) newSession(n tokenstore.NewSession) {
	c.sessionID(n.ID)
	c.subject(n.Subject)
	c.clientID(n.ClientID)
	c.text("scope", n.Scope, tokenstore.MaxScope)
	c.texts("resource", n.Resource)
	c.text("confirmation key", n.Cnf, 0)
	c.moment("authentication time", n.AuthTime)
	c.text("acr", n.ACR, 0)
	c.texts("amr", n.AMR)
	c.text("provider", n.Provider, 0)
	c.text("user agent", n.UserAgent, 0)
	if len(n.Claims) > tokenstore.MaxClaims {
		c.fault("claims", "are too long")
	}
	if n.Idle < 0 || n.Lifetime < 0 {
		c.fault("session's lifetime", "is negative")
	}
}

// cutText cuts s to at most limit bytes, between two characters.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
