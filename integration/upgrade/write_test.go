package upgrade_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

var write = flag.Bool("write", false, "have the old gateway write testdata's databases again; needs sqlite3 and pg_dump")

// century is as long as a provider can say that its tokens live.
const century = 100 * 365 * 24 * time.Hour

func TestWrite(t *testing.T) {
	if !*write {
		t.Skip("the databases are there; -write has them written again")
	}
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "store.db")
		writeDatabase(t, "sqlite", "sqlite "+file, nil, func() {
			db, err := sql.Open("sqlite", file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ExecContext(t.Context(), suspend("unixepoch() * 1000000", "external")); err != nil {
				t.Fatal(err)
			}
		})
		writeDump(t, "sqlite", "sqlite3", file, ".dump")
	})
	t.Run("postgres", func(t *testing.T) {
		address := postgrestest.URL(t)
		writeDatabase(t, "postgres", "postgres {env.DATABASE_URL}", []string{"DATABASE_URL=" + address}, func() {
			conn, err := pgx.Connect(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
			if _, err := conn.Exec(t.Context(), strings.Replace(suspend("now()", "external"), "SELECT subject", "SELECT sub", 1)); err != nil {
				t.Fatal(err)
			}
		})
		writeDump(t, "postgres", "pg_dump", "--no-owner", "--no-privileges", "--inserts", address)
	})
}

// suspend is what no command of that gateway does yet.
func suspend(now, external string) string {
	return "UPDATE subject SET suspended_at = " + now + " WHERE id IN (SELECT subject FROM identity WHERE " + external + " = 'mallory')"
}

// writeDatabase runs the old gateway on a database, with people and programs who
// do all that leaves something in it.
func writeDatabase(t *testing.T, driver, store string, env []string, suspend func()) {
	t.Helper()
	w := newWorld(t, store, "memory", env...)
	w.sso.TokensLive(century)
	w.sso.RefreshTokensLive(century)
	n := w.start(t, gateway.BinaryOf(t, before))
	p := newProgram(t, n)
	h := &held{Cookies: map[string]map[string][]string{}, Refresh: map[string]string{}, Signed: map[string][]string{}}
	sign := func(name, token string) { h.Signed[name] = strings.Split(token, ".") }

	// A site that needs no portal.
	if err := n.Reload(t, caddyfile(t, "alone.Caddyfile")); err != nil {
		t.Fatal(err)
	}
	alice := newBrowser(t, n)
	signIn(t, alice, alone+"/", "alice", alicePassword)
	h.keep("alice alone", alice, alone)
	if err := n.Reload(t, caddyfile(t, "portal.Caddyfile")); err != nil {
		t.Fatal(err)
	}

	// Alice: the portal, a site, a client that she allowed, a device.
	alice = newBrowser(t, n)
	signIn(t, alice, app+"/", "alice", alicePassword)
	code, _ := codeForWiki(t, alice, "openid profile offline_access")
	wiki := p.redeem(code)
	h.Refresh["wiki of alice"] = wiki.Refresh
	sign("access token of alice", wiki.Access)
	sign("ID token of alice", wiki.ID)
	flow := p.startDevice()
	approve(t, alice, flow)
	device := p.awaitDevice(flow)
	h.Refresh["cli of alice"] = p.refresh("cli", "", device.Refresh).Refresh
	h.keep("alice", alice, portal, app)

	// The same alice through the provider, whose token is kept.
	guest := newBrowser(t, n)
	signInForMail(t, guest, "alice")
	h.keep("alice at sso", guest, portal, mail)
	issued := w.sso.Issued()
	sign("token at sso", issued[len(issued)-1].Access)

	// Bob has signed out, and revoked his device's token; his provider token was
	// removed while the provider was down, and so was the wiki when he left.
	bob := newBrowser(t, n)
	signIn(t, bob, app+"/", "bob", bobPassword)
	flow = p.startDevice()
	approve(t, bob, flow)
	h.Refresh["cli of bob, revoked"] = p.awaitDevice(flow).Refresh
	p.post("revoke", "cli", "", url.Values{"token": {h.Refresh["cli of bob, revoked"]}})
	code, _ = codeForWiki(t, bob, "openid")
	p.redeem(code)
	h.keep("bob, signed out", bob, portal, app)
	signOut(t, bob, app)
	guest = newBrowser(t, n)
	signInForMail(t, guest, "bob")
	issued = w.sso.Issued()
	sign("refresh token at sso, removed", issued[len(issued)-1].Refresh)
	w.sso.SetDown(true)
	n.Verb(t, "tokens", "remove", "--subject", subjectOf(t, n, "bob@example.net"))

	// Mallory is suspended.
	mallory := newBrowser(t, n)
	signIn(t, mallory, app+"/", "mallory", malloryPassword)
	flow = p.startDevice()
	approve(t, mallory, flow)
	h.Refresh["cli of mallory, suspended"] = p.awaitDevice(flow).Refresh
	h.keep("mallory, suspended", mallory, portal, app)
	suspend() // the last of all, so that nothing but that keeps her out

	n.Stop(t)

	for name, token := range h.Refresh {
		if token == "" {
			t.Fatalf("there is no refresh token: %s", name)
		}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "\t")
	if err := encoder.Encode(h); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", driver+".json"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// subjectOf is the subject of the only provider token of somebody.
func subjectOf(t *testing.T, n *gateway.Node, user string) string {
	t.Helper()
	var page struct {
		Sessions []struct{ Subject, User string }
	}
	answer, err := n.Admin(t, "GET", "/gatehouse/sessions?all=true", "", "")
	if err == nil {
		err = json.Unmarshal([]byte(answer), &page)
	}
	for _, s := range page.Sessions {
		if s.User == user {
			return s.Subject
		}
	}
	t.Fatalf("no session of %s: %v\n%s", user, err, answer)
	return ""
}

// writeDump keeps what a database program prints, without what only that program
// understands.
func writeDump(t *testing.T, driver, name string, args ...string) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, `\`) || strings.HasPrefix(line, "--") || strings.TrimSpace(line) == "" || strings.HasPrefix(line, "SET transaction_timeout") {
			continue
		}
		kept.WriteString(line)
	}
	if err := os.WriteFile(filepath.Join("testdata", driver+".sql"), []byte(kept.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
