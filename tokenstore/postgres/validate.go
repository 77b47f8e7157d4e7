package postgres

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Limits that the contract gives, or an index entry has, in bytes.
const (
	maxIssuer   = 2048
	maxExternal = 255
	// maxTokenID is what an index entry surely holds.
	maxTokenID = 2048
	maxHash    = 1024
)

// checker collects the first fault of an operation's arguments. Its errors
// name the argument, never its value.
type checker struct{ err error }

func (c *checker) fault(name, what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s %s: %w", name, what, tokenstore.ErrInvalid)
	}
}

// text refuses what no store may accept in a string, and one longer than
// limit bytes; 0 is no limit.
func (c *checker) text(name, s string, limit int) {
	switch {
	case !utf8.ValidString(s):
		c.fault(name, "is not UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		c.fault(name, "holds NUL")
	case limit > 0 && len(s) > limit:
		c.fault(name, "is too long")
	}
}

// required is text that must not be empty.
func (c *checker) required(name, s string, limit int) {
	if s == "" {
		c.fault(name, "is empty")
	}
	c.text(name, s, limit)
}

func (c *checker) texts(name string, list []string) {
	for _, s := range list {
		c.text(name, s, 0)
	}
}

func (c *checker) subject(id string) { c.required("subject", id, tokenstore.MaxSubject) }

func (c *checker) clientID(id string) { c.text("client id", id, tokenstore.MaxClientID) }

func (c *checker) identity(id tokenstore.Identity) {
	c.required("issuer", id.Issuer, maxIssuer)
	c.required("provider's subject", id.Subject, maxExternal)
}

// sessionID refuses an id whose time cannot be told.
func (c *checker) sessionID(id uuid.UUID) {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		c.fault("session id", "is not a UUIDv7")
	}
}

// moment refuses a time that this or another store cannot hold.
func (c *checker) moment(name string, t time.Time) {
	if year := t.Year(); year < 1 || year > 9999 {
		c.fault(name, "is not in the years 1 to 9999")
	}
}

func (c *checker) limit(n int) int {
	if n == 0 {
		return defaultPage
	}
	if n < 0 || n > maxPage {
		c.fault("limit", "is not in 1 to 1000")
	}
	return n
}

// A page of a listing.
const (
	defaultPage = 100
	maxPage     = 1000
)
