package faultproxy_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// connect connects to a database through a proxy, or directly.
func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestPostgres_FaultsBefallTheirStatementAlone(t *testing.T) {
	address := postgrestest.URL(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := faultproxy.StartPostgres(t, u.Host)
	u.Host = p.Addr()
	direct := connect(t, address)
	if _, err := direct.Exec(t.Context(), "CREATE TABLE note (id int)"); err != nil {
		t.Fatal(err)
	}
	for id, test := range []struct {
		fault          faultproxy.Fault
		stored, healed bool // before the proxy is healed, and after
	}{
		{faultproxy.Refuse, false, false}, {faultproxy.Lose, true, true}, {faultproxy.Hold, true, true}, {faultproxy.Pause, false, true},
	} {
		t.Run(fmt.Sprint(test.fault), func(t *testing.T) {
			conn := connect(t, u.String())
			insert := func(id int) error {
				_, err := conn.Exec(t.Context(), "INSERT INTO note VALUES ($1)", id)
				return err
			}
			stored := func() (found bool) {
				if err := direct.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM note WHERE id = $1)", id).Scan(&found); err != nil {
					t.Fatal(err)
				}
				return found
			}
			if err := insert(-1); err != nil { // which prepares it
				t.Fatal(err)
			}
			trap := p.Set(1, test.fault, "INSERT INTO note")
			if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil || trap.Sprung() != 0 {
				t.Fatalf("another statement: %v, and %d were caught", err, trap.Sprung())
			}
			answer := make(chan error, 1)
			go func() { answer <- insert(id) }()
			<-trap.Reached()
			if got := stored(); got != test.stored || trap.Sprung() != 1 {
				t.Errorf("stored is %t, and %d were caught", got, trap.Sprung())
			}
			p.Heal()
			cut := test.fault == faultproxy.Refuse || test.fault == faultproxy.Lose
			if err := <-answer; (err != nil) != cut {
				t.Errorf("the client got %v", err)
			}
			if got := stored(); got != test.healed {
				t.Errorf("in the end, stored is %t", got)
			}
		})
	}
}
