package readings_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/readings"
)

// shape is a line of the table of paths that the guard's own tests have.
type shape struct{ path, admin, public string }

func shapes(t *testing.T) []shape {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(gateway.Root(), "flows", "reading", "testdata", "paths.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []shape
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimRight(line, "\n"), "\t"); len(fields) == 3 {
			all = append(all, shape{fields[0], fields[1], fields[2]})
		}
	}
	if len(all) < 50 {
		t.Fatalf("found %d paths", len(all))
	}
	return all
}

// site is a Caddyfile's site in front of a server.
func site(kind string, s readings.Server, lines string) string {
	return fmt.Sprintf("http://%s-%s.localhost {\n%s\treverse_proxy %s\n}\n", kind, s.Name, lines, s.Addr)
}

// plain is how people guard a path with Caddy's matcher alone.
const plain = "\t@admin path /admin/*\n\trespond @admin 401\n"

func start(t *testing.T, servers []readings.Server) (addr string) {
	t.Helper()
	caddyfile := global
	for _, s := range servers {
		caddyfile += site("admin", s, "\tgatehouse /admin/*\n") +
			site("public", s, "\t@closed not path /public/*\n\tgatehouse @closed\n") +
			site("query", s, "\t@closed query action=delete\n\tgatehouse @closed\n") +
			site("plain", s, plain)
	}
	n := gateway.Start(t, gateway.Options{Caddyfile: caddyfile})
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.HTTPPort))
}

// TestGuard_NoServerReadsAGuardedPathThatNobodySignedInFor sends every spelling
// to every server, by itself and behind guards.
func TestGuard_NoServerReadsAGuardedPathThatNobodySignedInFor(t *testing.T) {
	t.Parallel()
	servers := readings.Start(t)
	gate := start(t, servers)
	for _, s := range servers {
		t.Run(s.Name, func(t *testing.T) {
			var past []string // what gets past Caddy's matcher alone
			for _, shape := range shapes(t) {
				checkShape(t, gate, s, shape)
				if ask(t, gate, "plain-"+s.Name+".localhost", shape.path).is(isAdmin) {
					past = append(past, shape.path)
				}
			}
			t.Logf("past Caddy's matcher: %q", past)
			// Else the test could not fail.
			if len(past) == 0 && slices.Contains([]string{"nginx", "node"}, s.Name) {
				t.Error("nothing gets past Caddy's matcher, so the test shows nothing")
			}
		})
	}
}

// TestGuard_NoServerReadsAGuardedPathAmongMany sends paths that are made of what
// confuses servers, other ones each time.
func TestGuard_NoServerReadsAGuardedPathAmongMany(t *testing.T) {
	t.Parallel()
	servers := readings.Start(t)
	gate := start(t, servers)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{
		"/", "/", "/", "//", "admin", "public", "x", "..", "..", ".", "%2e", "%2e%2e", "%2f", "%5c", "%252f", "%252e", "%25", ";", "%3b", ";a=b",
		"%20", "%c0%af", "%23", "%3f", "%09", "%2561dmin", "%61dmin", ":", "@", "(", "/admin/", "/public/", "/../", "/..;/", "%255c", `\`, "#", "%0a",
		"|", "^", "\xff", "é", "?", "%85", "%a0", "[", "*", "~",
	}
	for range 2000 {
		path := []string{"/", "/public/"}[random.IntN(2)]
		for range 1 + random.IntN(7) {
			path += pieces[random.IntN(len(pieces))]
		}
		s := servers[random.IntN(len(servers))]
		for kind, guarded := range map[string]func(string) bool{"admin": isAdmin, "public": isNotPublic} {
			if a := ask(t, gate, kind+"-"+s.Name+".localhost", path); a.is(guarded) {
				t.Errorf("seed %d: %s reads %q as %q behind the guard %s, and nobody is signed in", seed, s.Name, path, a.paths, kind)
			}
		}
	}
}

func checkShape(t *testing.T, gate string, s readings.Server, shape shape) {
	t.Helper()
	// By itself the server is asked for what was sent, and for what a proxy makes
	// of it.
	direct := []answer{ask(t, s.Addr, "app.localhost", shape.path)}
	if u, err := url.ParseRequestURI(shape.path); err == nil && u.RequestURI() != shape.path {
		direct = append(direct, ask(t, s.Addr, "app.localhost", u.RequestURI()))
	}
	for _, guard := range []struct {
		kind, want string
		guarded    func(string) bool
	}{
		{"admin", shape.admin, isAdmin},
		{"public", shape.public, isNotPublic},
	} {
		through := ask(t, gate, guard.kind+"-"+s.Name+".localhost", shape.path)
		if through.is(guard.guarded) {
			t.Errorf("%s reads %s as %q behind the guard %s, and nobody is signed in", s.Name, shape.path, through.paths, guard.kind)
		}
		for _, d := range direct {
			if d.is(guard.guarded) && through.status == http.StatusOK && guard.want != "open" {
				t.Errorf("%s reads %s as %q, and the guard %s lets it pass", s.Name, shape.path, d.paths, guard.kind)
			}
		}
		got := "open"
		switch {
		case through.status == http.StatusUnauthorized:
			got = "closed"
		case strings.HasPrefix(through.text, "Malformed request target."):
			got = "refused"
		}
		if got == "closed" && guard.want == "refused" {
			continue // what matches as it was sent is not read in other ways
		}
		if got != guard.want {
			t.Errorf("%s is %s behind the guard %s, want %s (status %d)", shape.path, got, guard.kind, guard.want, through.status)
		}
	}
}

// A request target without a path is the root, or refused; gunicorn serves
// /admin/secret for the first three.
func TestGuard_NoServerSeesATargetWithoutAPath(t *testing.T) {
	t.Parallel()
	servers := readings.Start(t)
	gate := start(t, servers)
	for _, s := range servers {
		for _, target := range []string{
			"x:admin/secret", "http:admin/secret", "x:%61dmin/secret", "x:/admin/secret", "http:/admin/secret", "http://app.localhost/admin/secret",
			"*", "x:", "admin/secret", "?x", "//", "x://app.localhost", "http://%61dmin.localhost/admin/secret",
		} {
			for kind, guarded := range map[string]func(string) bool{"admin": isAdmin, "public": isNotPublic} {
				host := kind + "-" + s.Name + ".localhost"
				if a := ask(t, gate, host, strings.Replace(target, "app.localhost", host, 1)); a.is(guarded) {
					t.Errorf("%s reads %s as %q behind the guard %s", s.Name, target, a.paths, kind)
				}
			}
		}
		host := "admin-" + s.Name + ".localhost"
		if a := ask(t, gate, host, "http://"+host+"?action=x"); !a.is(func(path string) bool { return path == "/" }) {
			t.Errorf("%s reads an absolute form without a path as %d %q", s.Name, a.status, a.text)
		}
	}
}

func TestGuard_NoServerReadsAParameterThatNobodySignedInFor(t *testing.T) {
	t.Parallel()
	servers := readings.Start(t)
	gate := start(t, servers)
	read := make(map[string]bool)
	for _, query := range []string{
		"action=delete", "action=delete&x=%", "action=delete&a;b", "a;action=delete", "x=%&action=delete", "action=view&action=delete",
		"action=delete&action=view", "%61ction=delete", "action=%64elete", "action=delete;", "ACTION=delete", "action=delete&%=1",
		"action=delete&y=%ff", "&&action=delete", "action=delete#", "action=delete%00",
	} {
		for _, s := range servers {
			isDelete := func(a answer) bool { return a.status == http.StatusOK && slices.Contains(a.action, "delete") }
			if a := ask(t, gate, "query-"+s.Name+".localhost", "/x?"+query); isDelete(a) {
				t.Errorf("%s reads %s as %q behind the guard", s.Name, query, a.action)
			}
			if isDelete(ask(t, s.Addr, "app.localhost", "/x?"+query)) {
				read[query] = true
			}
		}
	}
	for _, query := range []string{"action=delete&x=%", "action=view&action=delete"} {
		if !read[query] {
			t.Errorf("no server reads %s as action=delete, so the test shows nothing", query)
		}
	}
}
