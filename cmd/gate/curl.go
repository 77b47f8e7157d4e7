package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// curl runs curl with the access token in a header that no process list shows.
func (g *gate) curl(ctx context.Context, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
			return flag.ErrHelp
		}
		return usage("curl", "put the URL first, then the arguments of curl")
	}
	address, err := parseSite(args[0])
	if err != nil {
		return err
	}
	if err := checkCurl(address, args[1:]); err != nil {
		return err
	}
	path, err := exec.LookPath("curl")
	if err != nil {
		return fail(exitFailed, "Install curl, or use a program of your own with $(gate token --for "+origin(address)+").", "curl was not found")
	}
	a, err := g.tokenFor(ctx, address.String())
	if err != nil {
		return err
	}
	config, err := configFile("header = \"Authorization: Bearer " + a.Token + "\"\n")
	if err != nil {
		return err
	}
	defer config.Close()
	// Theirs first: -q counts only there.
	cmd := g.env.command(ctx, path, append(slices.Clone(args[1:]), "--config", config.argument, "--url", address.String())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = g.stdin, g.stdout, g.stderr
	config.attach(cmd)
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exitError(exit.ExitCode())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// takesURL are options of curl whose value may well be another address.
var takesURL = []string{ //nolint:gochecknoglobals // a constant list
	"-e", "--referer", "-x", "--proxy", "--preproxy", "-d", "--data", "--data-ascii", "--data-binary", "--data-raw",
	"--data-urlencode", "--json", "-F", "--form", "--form-string", "-H", "--header", "--url-query", "-A", "--user-agent",
	"-b", "--cookie", "-w", "--write-out", "--doh-url", "-o", "--output", "--variable", "--expand-data",
}

// checkCurl refuses what would send the token to another site: curl sends a
// header to every address of its command line.
func checkCurl(address *url.URL, args []string) error {
	for i, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		if slices.Contains([]string{"--url", "--next", "-:", "--location-trusted", "--expand-url"}, name) {
			return usage("curl", arg+" could send your token to another site; call gate curl once for each address")
		}
		lower := strings.ToLower(arg)
		if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
			continue
		}
		if u, err := url.Parse(arg); err == nil && origin(u) == origin(address) {
			continue
		}
		if i == 0 || !slices.Contains(takesURL, args[i-1]) {
			return usage("curl", "your token is for "+origin(address)+"; call gate curl once for each address")
		}
	}
	return nil
}

// secretFile is something that a child can read as a file, once, and that no
// other process can.
type secretFile struct {
	argument string
	attach   func(*exec.Cmd)
	io.Closer
}

// pipeOf is the reading end of a pipe that holds a short text.
func pipeOf(text string) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	// A pipe holds this much without a reader (4 KiB by POSIX, 64 KiB on
	// Linux); beyond it, the writer ends with the reader.
	go func() {
		_, _ = io.WriteString(w, text)
		_ = w.Close()
	}()
	return r, nil
}
