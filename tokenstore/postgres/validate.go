package postgres

import (
	"cmp"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// checker collects the first fault of a rotation's arguments.
type checker struct{ err error }

func (c *checker) fault(name, what string) {
	c.err = cmp.Or(c.err, fmt.Errorf("%s %s: %w", name, what, tokenstore.ErrInvalid))
}

func (c *checker) text(name, s string, _ int) {
	c.err = cmp.Or(c.err, tokenstore.ValidateText(name, s))
}

func (c *checker) moment(_ string, t time.Time) {
	c.err = cmp.Or(c.err, tokenstore.ValidateUnrotation(1, t))
}
