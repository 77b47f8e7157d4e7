package sqlite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// answers are the errors of the contract.
var answers = []error{
	tokenstore.ErrNotFound,
	tokenstore.ErrExists,
	tokenstore.ErrRevoked,
	tokenstore.ErrExpired,
	tokenstore.ErrSuspended,
	tokenstore.ErrMismatch,
	tokenstore.ErrReused,
	tokenstore.ErrConflict,
	tokenstore.ErrInvalid,
	tokenstore.ErrUnavailable,
	tokenstore.ErrSchemaTooNew,
}

// wrap says what was being done when err happened. What is not an answer of
// the contract came from SQLite, the disk or the caller's context: nothing is
// known then, which is ErrUnavailable. SQLite's messages name tables and
// columns, never values.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	known := slices.ContainsFunc(answers, func(a error) bool { return errors.Is(err, a) })
	if known {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, tokenstore.ErrUnavailable, err)
}
