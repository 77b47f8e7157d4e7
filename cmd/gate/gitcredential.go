package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// gitCredential is a credential helper of git (gitcredentials(7)). git 2.46 and
// newer take a token with its scheme; older ones could send Basic alone, which
// guarded sites do not take.
func (g *gate) gitCredential(ctx context.Context, args []string) error {
	operation := ""
	if len(args) > 0 {
		operation = args[0]
	}
	switch operation {
	case "get", "erase":
	case "store":
		return nil // gate keeps its own tokens
	case "capability":
		_, err := io.WriteString(g.stdout, "version 0\ncapability authtype\n")
		return err
	default:
		return usage("git-credential", "git calls it with get, store or erase")
	}
	asked, err := readGit(g.stdin)
	if err != nil {
		return err
	}
	address := asked.address()
	if address == "" {
		return nil // ssh, smtp and the like: not ours
	}
	if operation == "erase" {
		return g.eraseToken(ctx, address)
	}
	a, err := g.tokenFor(ctx, address)
	if errors.Is(err, errNotGuarded) {
		return nil // for git's next helper
	}
	if err != nil {
		return err
	}
	if !slices.Contains(asked.capabilities, "authtype") {
		_, _ = io.WriteString(g.stdout, "quit=1\n")
		return fail(exitFailed, oldGit(address), "this git cannot send tokens; git 2.46 or newer is needed")
	}
	_, err = fmt.Fprintf(g.stdout, "capability[]=authtype\nauthtype=Bearer\ncredential=%s\npassword_expiry_utc=%d\nephemeral=1\n",
		a.Token, a.Expires.Unix())
	return err
}

// oldGit is how a git without bearer tokens gets in nevertheless; environment
// variables are the user's alone, unlike arguments.
func oldGit(address string) string {
	return "Until then, this works for one command:\n" +
		"GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http." + address + ".extraHeader \\\n" +
		"GIT_CONFIG_VALUE_0=\"Authorization: Bearer $(gate token --for " + address + ")\" git …"
}

// eraseToken forgets a token that a site has refused, so that the next one is
// new.
func (g *gate) eraseToken(ctx context.Context, address string) error {
	c, err := g.chooseKnown(address)
	if err != nil {
		return nil //nolint:nilerr // there is nothing to forget
	}
	unlock, err := g.store.lock(ctx, c.login.Issuer)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := g.store.load(c.login.Issuer)
	if err != nil || l.RefreshToken == "" {
		return nil //nolint:nilerr // as above
	}
	delete(l.Access, c.site)
	return g.store.save(l)
}

// gitRequest is what git tells a helper.
type gitRequest struct {
	protocol, host string
	capabilities   []string
}

// maxGit that git may say: attributes are short.
const maxGit = 64 << 10

// readGit reads the attributes of a request, one a line, up to an empty line.
func readGit(r io.Reader) (gitRequest, error) {
	var asked gitRequest
	lines := bufio.NewScanner(io.LimitReader(r, maxGit))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "=")
		switch {
		case lines.Text() == "":
			return asked, nil
		case !ok:
			return asked, fail(exitUsage, "git calls this helper itself; see gate help git-credential", "what git says is one name=value a line")
		case name == "protocol":
			asked.protocol = value
		case name == "host":
			asked.host = value
		case name == "capability[]" && value == "":
			asked.capabilities = nil // an empty value begins the list again
		case name == "capability[]":
			asked.capabilities = append(asked.capabilities, value)
		}
	}
	return asked, lines.Err()
}

// address of the site that git talks to, or "".
func (r gitRequest) address() string {
	if r.protocol != "https" && r.protocol != "http" {
		return ""
	}
	u, err := parseAddress(r.protocol + "://" + r.host)
	if err != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	return origin(u)
}
