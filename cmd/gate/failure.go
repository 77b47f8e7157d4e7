package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitSignIn      = 3
	exitRefused     = 4
	exitUnreachable = 5
	exitInterrupted = 130
)

// failure is an error with what to do about it.
type failure struct {
	code int
	err  error
	// fix tells the person what to do: one line or several.
	fix string
	// after is when a server wants to be asked again, if it says so.
	after time.Duration
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, fix, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...), fix: fix}
}

// exitError is the exit code of a program that we ran; it has said itself what
// is wrong.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// report writes an error for the person and returns the exit code.
func report(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if status, ok := errors.AsType[exitError](err); ok {
		return int(status)
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitFailed, err: err}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "gate: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "gate: %s\n", printable(err.Error()))
	for line := range strings.Lines(f.fix) {
		fmt.Fprintf(stderr, "  %s\n", printable(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")))
	}
	return f.code
}
