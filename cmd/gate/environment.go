package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"
)

// environment is what commands take from the machine around them.
type environment struct {
	// folder holds the logins. Empty: the machine has no configuration folder.
	folder string
	getenv func(string) string
	now    func() time.Time
	// sleep waits, or returns the context's error.
	sleep func(context.Context, time.Duration) error
	// columns of the terminal that errors go to; 0 when it is none.
	columns int
	// rows of it; 0 when that is not known.
	rows      int
	transport http.RoundTripper
	// open shows a page in the person's browser.
	open func(context.Context, string) error
	// command prepares a program to be run.
	command func(ctx context.Context, name string, args ...string) *exec.Cmd
}

func systemEnvironment() environment {
	e := environment{
		getenv: os.Getenv, now: time.Now, sleep: sleep, transport: newTransport(),
		open: openBrowser, command: exec.CommandContext,
	}
	if dir, err := os.UserConfigDir(); err == nil {
		e.folder = filepath.Join(dir, "gatehouse")
	}
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) {
		e.columns = 80
		if width, height, err := term.GetSize(fd); err == nil && width > 0 {
			e.columns, e.rows = width, height
		}
	}
	return e
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// draws reports whether the terminal can show half blocks.
func (e environment) draws() bool {
	if e.columns == 0 || e.getenv("TERM") == "dumb" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(e.getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return e.getenv("WT_SESSION") != "" // Windows Terminal has no locale variables
}
