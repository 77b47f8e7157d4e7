package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// SQLSTATEs that the store tells apart. See appendix A of PostgreSQL's
// documentation.
const (
	stateUniqueViolation  = "23505"
	stateNoPartition      = "23514" // check_violation, also "no partition of relation found for row"
	stateUndefinedTable   = "42P01"
	stateUndefinedColumn  = "42703"
	stateSerialization    = "40001"
	stateDeadlock         = "40P01"
	stateReadOnly         = "25006"
	stateLockNotAvailable = "55P03"
	stateCrashShutdown    = "57P02"
	stateAdminShutdown    = "57P01"
	stateDuplicateTable   = "42P07"
)

// unavailableClasses are the classes of SQLSTATEs that mean that the database
// cannot serve now: connection, authentication, no such database, resources,
// operator intervention, system error, internal error.
var unavailableClasses = map[string]bool{"08": true, "28": true, "3D": true, "53": true, "57": true, "58": true, "XX": true}

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

// translate turns an error of pgx into one of the contract's.
func translate(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return tokenstore.ErrNotFound
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case isUnavailable(err):
		return fmt.Errorf("%w: %w", tokenstore.ErrUnavailable, err)
	}
	return err
}

func isUnavailable(err error) bool {
	if state := sqlState(err); state != "" {
		switch state {
		case stateNoPartition, stateUndefinedTable, stateUndefinedColumn, stateReadOnly,
			stateSerialization, stateDeadlock, stateLockNotAvailable:
			return true
		}
		return unavailableClasses[state[:2]]
	}
	return isDead(err) || errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err)
}

// isDead tells whether the connection is gone, or never came to be.
func isDead(err error) bool {
	if state := sqlState(err); state != "" {
		return state == stateAdminShutdown || state == stateCrashShutdown
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, puddle.ErrClosedPool) || pgconn.SafeToRetry(err)
}

// redacted keeps a parser's error from quoting the address and its password.
func redacted(err error) error {
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return errors.New("not a PostgreSQL address")
	}
	return err
}
