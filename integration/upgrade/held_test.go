package upgrade_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// held is what people and programs hold when the databases of testdata were
// written.
type held struct {
	// Cookies by person and origin, as "name value".
	Cookies map[string]map[string][]string
	// Refresh tokens by client and person.
	Refresh map[string]string
	// Signed tokens and tokens of the provider, cut at their dots.
	Signed map[string][]string
}

// keep remembers somebody's cookies.
func (h *held) keep(who string, b *browser.Browser, origins ...string) {
	if h.Cookies[who] == nil {
		h.Cookies[who] = map[string][]string{}
	}
	for _, origin := range origins {
		for _, cookie := range b.Cookies(origin + "/") {
			h.Cookies[who][origin] = append(h.Cookies[who][origin], cookie.Name+" "+cookie.Value)
		}
	}
}

// restore puts somebody's cookies into a browser.
func (h *held) restore(t *testing.T, who string, b *browser.Browser) *browser.Browser {
	t.Helper()
	if len(h.Cookies[who]) == 0 {
		t.Fatalf("nothing is kept of %s", who)
	}
	for origin, cookies := range h.Cookies[who] {
		for _, cookie := range cookies {
			name, value, _ := strings.Cut(cookie, " ")
			b.SetCookie(origin+"/", &http.Cookie{Name: name, Value: value, Path: "/"})
		}
	}
	return b
}

// learn has a log searched for all of it.
func (h *held) learn(learn func(what, value string)) {
	for _, origins := range h.Cookies {
		for _, cookies := range origins {
			for _, cookie := range cookies {
				_, value, _ := strings.Cut(cookie, " ")
				learn("kept cookie", value)
			}
		}
	}
	for name, token := range h.Refresh {
		learn("kept refresh token "+name, token)
	}
	for name, parts := range h.Signed {
		learn("kept token "+name, strings.Join(parts, "."))
	}
}

func (h *held) signed(name string) string { return strings.Join(h.Signed[name], ".") }

func readHeld(t *testing.T, driver string) *held {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", driver+".json"))
	if err != nil {
		t.Fatal(err)
	}
	h := new(held)
	if err := json.Unmarshal(text, h); err != nil {
		t.Fatal(err)
	}
	return h
}

// kept are the databases of testdata, by driver: each is copied into an empty
// one, and what a Caddyfile and an environment need to use it is returned.
var kept = map[string]func(t *testing.T) (store string, env []string){
	"sqlite": func(t *testing.T) (string, []string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "store.db")
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if _, err := db.ExecContext(t.Context(), dump(t, "sqlite")+strings.ReplaceAll(fresh("0"), "public.", "")); err != nil {
			t.Fatal(err)
		}
		return "sqlite " + file, nil
	},
	"postgres": func(t *testing.T) (string, []string) {
		t.Helper()
		address := postgrestest.URL(t)
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		if _, err := conn.PgConn().Exec(t.Context(), dump(t, "postgres")+fresh("to_timestamp(0)")).ReadAll(); err != nil {
			t.Fatal(err)
		}
		return "postgres {env.DATABASE_URL}", []string{"DATABASE_URL=" + address}
	},
}

// fresh has the outbox begin anew. Its entries are given up after an hour, or a
// day, and are the only ones that end while the databases lie here.
func fresh(longAgo string) string {
	return "\nUPDATE public.outbox SET due_at = " + longAgo + ", not_by = NULL;\n"
}

func dump(t *testing.T, driver string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", driver+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
