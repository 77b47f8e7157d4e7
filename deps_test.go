package gatehouse_test

import (
	"os/exec"
	"strings"
	"testing"
)

// tags of every build; deps differ with them.
const tags = "nobadger,nomysql,nopgx"

const module = "github.com/gatehouse-auth/gatehouse/"

// direction is one arrow of the import graph that must not exist: no package
// that matches from may depend on a package below to, by whatever way.
type direction struct {
	from []string // folders; with /... the packages below too
	to   []string // import path prefixes
	why  string
}

func TestImportsRunOneWay(t *testing.T) {
	sql := []string{"github.com/jackc/pgx", "database/sql", "modernc.org/sqlite", "github.com/pressly/goose"}
	drivers := []string{
		module + "tokenstore/postgres", module + "tokenstore/sqlite", module + "cache/redis", module + "cache/memory",
	}
	pkgs := packages(t)
	for _, d := range []direction{
		{
			from: []string{"flows/...", "tokenstore/...", "cache/...", "cmd/gate/..."},
			to:   []string{"github.com/caddyserver/caddy", "github.com/caddyserver/certmagic", module + "caddymodule"},
			why:  "only caddymodule and cmd/gatehouse know Caddy: its cold build takes minutes, the rest builds in seconds",
		},
		{
			from: []string{"flows/...", "tokenstore", "cache"},
			to:   append([]string{"github.com/redis/go-redis"}, append(sql, drivers...)...),
			why:  "flows and the stores' contracts know interfaces and types, no driver",
		},
		{
			from: []string{"tokenstore/...", "cache/..."},
			to:   []string{module + "flows"},
			why:  "stores serve flows and know nothing of them, so that others can add stores",
		},
		{
			from: []string{"flows/web"},
			to:   []string{module + "flows/accesstoken", module + "flows/guard", module + "flows/vault"},
			why:  "web is HTTP as all endpoints see it; what they are about lies above it",
		},
		{
			from: []string{"flows/registration"},
			to:   []string{module + "flows/web", module + "flows/session", module + "flows/provider"},
			why:  "what a client says of itself is judged without knowing who asks, or where",
		},
		{
			from: []string{"flows/accesstoken"},
			to:   []string{module + "flows/guard", module + "flows/vault"},
			why:  "the verifier of access tokens serves the guard and the endpoints",
		},
		{
			from: []string{"flows/authcode", "flows/oautherror", "flows/signout", "flows/knownbrowser"},
			to:   []string{module + "flows/guard", module + "flows/vault", module + "flows/recheck"},
			why:  "codes, errors and sign-outs know neither guarded sites nor the vault",
		},
		{
			from: []string{"flows/client", "flows/foreign", "flows/stepup", "flows/sealed", "flows/policy"},
			to:   []string{module + "flows/web", module + "flows/page", module + "flows/session", module + "flows/guard", module + "flows/vault"},
			why:  "rules about clients, tokens and people know no requests, pages or sessions",
		},
		{
			from: []string{"flows/resource", "flows/scope"},
			to:   []string{module + "flows/accesstoken", module + "flows/guard", module + "flows/vault", module + "flows/authcode"},
			why:  "what resources and scopes are is asked by the guard and by the endpoints",
		},
		{
			from: []string{"flows/guard"},
			to:   []string{module + "flows/authcode", module + "flows/oautherror"},
			why:  "a guarded site knows sessions and access tokens, not how they are obtained",
		},
		{
			from: []string{"tokenstore/..."},
			to:   []string{module + "cache", "github.com/redis/go-redis"},
			why:  "durable and short-lived state are two things",
		},
		{
			from: []string{"cache/..."},
			to:   append([]string{module + "tokenstore"}, sql...),
			why:  "durable and short-lived state are two things",
		},
		{
			from: []string{"/..."},
			to:   []string{module + "integration", "github.com/stretchr/testify", "testing"},
			why:  "the product is built without what tests it",
		},
	} {
		for _, from := range d.from {
			for _, p := range pkgs {
				if matches(p.path, from) {
					checkDirection(t, p, d)
				}
			}
		}
	}
}

// testPackages may depend on package testing: they are for tests, here and
// elsewhere.
var testPackages = []string{
	module + "tokenstore/storetest", module + "tokenstore/postgres/postgrestest",
	module + "cache/cachetest", module + "cache/redis/redistest",
}

func checkDirection(t *testing.T, p pkg, d direction) {
	t.Helper()
	if below(p.path, testPackages) {
		return
	}
	for _, dep := range p.deps {
		if below(dep, d.to) {
			t.Errorf("%s depends on %s: %s (go mod why, or go list -deps, shows how)", p.path, dep, d.why)
		}
	}
}

type pkg struct {
	path string
	deps []string // direct and indirect
}

// packages lists the packages of this module.
func packages(t *testing.T) []pkg {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-tags", tags,
		"-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	var pkgs []pkg
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkgs = append(pkgs, pkg{path: fields[0], deps: fields[1:]})
	}
	return pkgs
}

// matches reports whether a package is the folder, or with /... below it.
func matches(path, folder string) bool {
	if prefix, found := strings.CutSuffix(folder, "/..."); found {
		return below(path, []string{module + prefix})
	}
	return path == module+folder
}

// below reports whether a path is one of the prefixes or below one.
func below(path string, prefixes []string) bool {
	if path == "database/sql/driver" {
		return false // types only: google/uuid can be stored by database/sql
	}
	for _, prefix := range prefixes {
		rest, found := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
		if found && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}
