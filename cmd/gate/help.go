package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

func commands() []command {
	return []command{
		{"login", "URL", "sign in to a protected site", helpLogin, (*gate).login},
		{"token", "[--for URL] [--provider NAME]", "print a fresh access token", helpToken, (*gate).token},
		{"curl", "URL [CURL ARGUMENTS…]", "call a protected URL with curl", helpCurl, (*gate).curl},
		{"whoami", "[URL]", "show who you are signed in as", helpWhoami, (*gate).whoami},
		{"list", "", "list your logins", "", (*gate).list},
		{"logout", "[URL]", "end a login, here and at its issuer", helpLogout, (*gate).logout},
		{"git-credential", "get", "give git a token (a git credential helper)", helpGit, (*gate).gitCredential},
		{"exec-credential", "[--for URL]", "give kubectl a token (an exec credential plugin)", helpKubectl, (*gate).execCredential},
		{"version", "", "print the version", "", (*gate).version},
		{"help", "[COMMAND]", "explain a command", "", (*gate).help},
	}
}

const (
	helpLogin = `URL is any page of the site that needs a sign-in; the site itself says who signs people in.
One login serves all sites of the same issuer.

Options:
  --client ID      the client id that the issuer knows (default gate)
  --scope SCOPES   what to ask for (default "openid profile email offline_access")
  --provider NAME  ask for your access token of a provider as well, such as github; may be repeated
  --browser        open the page in this machine's browser
  --no-qr          draw no QR code

Examples:
  gate login https://app.example.com
  gate login --browser app.example.com
  gate login --client cli https://app.example.com
`
	helpToken = `Nothing but the token goes to standard output. It is refreshed when it has less than a
minute left; parallel processes refresh once. Without --for it is for the site you signed in to.

Examples:
  gate token --for https://app.example.com
  TOKEN=$(gate token)

With --provider it is your own access token of a provider, fresh. The login must have been
allowed it:
  gate login --provider github https://app.example.com
  gate token --provider github
`
	helpCurl = `The token travels to curl through a pipe, so that no process list shows it. It is good for
the site of URL only. gate ends with curl's exit code.

Examples:
  gate curl https://app.example.com/api/items
  gate curl https://app.example.com/api/items --json '{"name": "one"}' -sS --fail-with-body
`
	//nolint:gosec // there is no credential in it
	helpWhoami = `Options:
  --json   print what the issuer says, as JSON

Example:
  gate whoami
`
	helpLogout = `The login is revoked at the issuer and then deleted here. When the issuer cannot be reached
it is kept, so that you can try again.

Options:
  --all     end every login
  --local   only delete it here; it stays good at the issuer until it expires

Examples:
  gate logout
  gate logout https://app.example.com
`
	helpGit = `Needs git 2.46 or newer, which can send a bearer token. Set it up once for a site:
  git config --global credential.https://git.example.com.helper '!gate git-credential'

Example:
  git clone https://git.example.com/team/project.git
`
	helpKubectl = `Without --for, the cluster's own address is used if kubectl gives it (provideClusterInfo: true).

Example, in the kubeconfig:
  users:
  - name: me
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: gate
        args: [exec-credential, --for, "https://kube.example.com"]
        interactiveMode: Never
`
	helpCodes = `Exit codes:
  0 done   1 something went wrong   2 wrong command line   3 sign in (again)
  4 refused   5 a server cannot be reached   130 interrupted
`
)

func (c command) print(w io.Writer) {
	fmt.Fprintln(w, strings.TrimSpace("Usage: gate "+c.name+" "+c.args))
	fmt.Fprintf(w, "\n%s.\n", strings.ToUpper(c.summary[:1])+c.summary[1:])
	if c.help != "" {
		fmt.Fprintf(w, "\n%s", c.help)
	}
}

func (g *gate) usage(w io.Writer) {
	fmt.Fprint(w, "gate signs you in from a terminal and calls protected sites.\n\nUsage: gate COMMAND\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-17s%s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nBegin with: gate login https://app.example.com\nMore:       gate help COMMAND\n\n"+helpCodes)
}

func (g *gate) help(_ context.Context, args []string) error {
	if len(args) == 0 {
		g.usage(g.stdout)
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			c.print(g.stdout)
			return nil
		}
	}
	return noCommand(args[0])
}

// noCommand names them all: they fit into a line.
func noCommand(name string) error {
	var known []string
	for _, c := range commands() {
		known = append(known, c.name)
	}
	return fail(exitUsage, "gate help", "there is no command %q; there are %s", name, strings.Join(known, ", "))
}

func (g *gate) version(context.Context, []string) error {
	fmt.Fprintf(g.stdout, "gate %s %s/%s\n", version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version of the module that this was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return strings.Trim(info.Main.Version, "()")
}
