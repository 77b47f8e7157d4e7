package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// SQLSTATEs that the store tells apart. See appendix A of PostgreSQL's
// documentation.
const (
	stateUniqueViolation = "23505"
	stateUndefinedTable  = "42P01"
	stateSerialization   = "40001"
	stateDeadlock        = "40P01"
	stateReadOnly        = "25006"
	stateDuplicateTable  = "42P07"
	// stateLockNotAvailable: lock_timeout has passed.
	stateLockNotAvailable = "55P03"
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

// wrap names what was being done when an error came up.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

// translate turns an error of pgx into one of the contract's. What is no answer
// of that came from the database, the network or the caller's context: nothing
// is known then, which is ErrUnavailable. Statements hold no secret in clear, so
// that no message can quote one.
func translate(ctx context.Context, err error) error {
	known := func(answer error) bool { return errors.Is(err, answer) }
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return tokenstore.ErrNotFound
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, ctx.Err())
	case slices.ContainsFunc(answers, known):
		return err
	}
	return fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, err)
}

// isDead reports whether the connection is gone, or never came to be.
func isDead(err error) bool {
	if state := sqlState(err); state != "" {
		return isEnded(err)
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, puddle.ErrClosedPool) || pgconn.SafeToRetry(err)
}

// isEnded reports whether the server ended a connection that was in use: for its
// shutdown, or because of a timeout that the role or the database is given.
func isEnded(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && isFatal(pgErr) && !isConnecting(err)
}

func isFatal(err *pgconn.PgError) bool {
	return cmp.Or(err.SeverityUnlocalized, err.Severity) == "FATAL"
}

// keeps reports whether a connection is kept after an error. One to a server that
// is read-only is not: after a fail-over, the next may be to the new primary.
func keeps(_ *pgconn.PgConn, err *pgconn.PgError) bool {
	return !isFatal(err) && err.Code != stateReadOnly
}

// redacted keeps a parser's error from quoting the address and its password.
func redacted(err error) error {
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return errors.New("not a PostgreSQL address")
	}
	return err
}
