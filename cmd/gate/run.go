package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// gate is one run of the command.
type gate struct {
	env            environment
	stdin          io.Reader
	stdout, stderr io.Writer
	http           *browserless
	store          *store
}

// command is one of gate's commands.
type command struct {
	name, args, summary string
	// help is the rest of what `gate help NAME` says.
	help string
	run  func(*gate, context.Context, []string) error
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env environment) int {
	g := &gate{
		env: env, stdin: stdin, stdout: stdout, stderr: stderr,
		http: newBrowserless(env.transport), store: &store{folder: env.folder, sleep: env.sleep},
	}
	if len(args) == 0 {
		g.usage(stderr)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(g, ctx, args[1:])
		if errors.Is(err, flag.ErrHelp) {
			c.print(stdout)
			return exitDone
		}
		return report(ctx, stderr, err)
	}
	return report(ctx, stderr, noCommand(name))
}

// inOurWords says what package flag found wrong as gate's help writes options,
// with two hyphens.
var inOurWords = strings.NewReplacer(
	"flag provided but not defined: -", "there is no option --",
	"flag needs an argument: -", "a value is missing behind --",
)

// parse reads options wherever they stand among the arguments; of those there
// may be up to the given number.
func parse(fs *flag.FlagSet, args []string, most int) ([]string, error) {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usage(fs.Name(), inOurWords.Replace(err.Error()))
		}
		if fs.NArg() == 0 {
			break
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
	if len(rest) > most {
		return nil, usage(fs.Name(), fmt.Sprintf("%q is one argument too many", rest[most]))
	}
	return rest, nil
}

// only returns the one argument, or "".
func only(args []string) string { return strings.Join(args, "") }

func usage(command, what string) error {
	return fail(exitUsage, "gate help "+command, "gate %s: %s", command, what)
}

// tell writes for the person; stdout is for what programs read.
func (g *gate) tell(format string, args ...any) {
	fmt.Fprint(g.stderr, fmt.Sprintf(format, args...)+"\n")
}
