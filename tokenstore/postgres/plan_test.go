package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// planned is a store with its schema, and a connection to ask for plans.
func planned(t *testing.T) (*Store, *pgx.Conn) {
	t.Helper()
	url := postgrestest.URL(t)
	store, err := Open(t.Context(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return store, conn
}

// fill puts a number of sessions into a month.
func fill(t *testing.T, q querier, m month, sessions int) {
	t.Helper()
	if _, err := q.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO session (id, expires_at, idle, gen, rotated_at, rotated_before, seen_at,
			sub, client_id, secret_hash, scope, resource, cnf, acr, amr, provider, user_agent)
		SELECT (lpad(to_hex(%d + n), 12, '0') || '7000' || substr(md5(n::text), 1, 16))::uuid,
			later, 86400000000, 0, now() AS rotated_at, now() AS rotated_before, now() AS seen_at,
			'sub-' || n %% 1000, 'app', '\x00', '', '{}', '', '', '{}', '', ''
		FROM generate_series(1, %d) n, (SELECT now() + interval '1 day' AS later) l`, m.start().UnixMilli(), sessions)); err != nil {
		t.Fatal(err)
	}
}

// TestPlans: no statement about given sessions, or about those of a subject,
// reads through a month, not even by the generic plan that a prepared
// statement gets in the end; and those about one session name one month.
func TestPlans(t *testing.T) {
	ctx := t.Context()
	store, conn := planned(t)
	now := monthAt(time.Now())
	fill(t, conn, now, 20000)
	for _, sql := range []string{
		"INSERT INTO subject (id, created_at) SELECT 'sub-' || n, now() FROM generate_series(0, 999) n",
		"ANALYZE", "SET plan_cache_mode = force_generic_plan",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	list := make([]uuid.UUID, 50)
	for i := range list {
		list[i] = firstID(now.start().Add(time.Duration(i) * time.Millisecond))
	}
	w := sessionConditions(tokenstore.SessionQuery{Subject: "sub-1"})
	one := fmt.Sprintf("'%s'", list[0])
	var quoted []string
	for _, id := range list {
		quoted = append(quoted, id.String())
	}
	many := "'{" + strings.Join(quoted, ",") + "}'"

	for _, tt := range []struct {
		name, template, args string
		oneMonth             bool
	}{
		{name: "rotation", template: rotateCurrent, args: one + ", 0, '', '', ''", oneMonth: true},
		{name: "rotations together", template: rotateMany, args: many + ", '{0}', '{a}', '{b}', '{c}'", oneMonth: true},
		{name: "rotation of a generation ahead", template: rotateForward, args: one + ", 0, '', '', ''", oneMonth: true},
		{name: "rotation put back", template: unrotate, args: one + ", 1, now()", oneMonth: true},
		{name: "session", template: selectSession, args: one, oneMonth: true},
		{name: "revocation", template: revokeOne, args: one, oneMonth: true},
		{name: "other claims", template: replaceClaims, args: one + ", ''", oneMonth: true},
		{name: "descendants", template: revokeDescendants, args: one},
		{name: "revocation of many", template: revokeListed, args: many},
		{name: "descendants of many", template: revokeTheirDescendants, args: many},
		{name: "a subject's", template: revokeAll, args: "'sub-1'"},
		{name: "listing", template: `SELECT ` + sessionColumns + ` FROM session s` + w.clause() + ` ORDER BY s.id DESC LIMIT 100`, args: "'sub-1'"},
		{name: "a provider's session", template: `SELECT ` + sessionColumns + ` FROM session s WHERE s.provider_session = ANY ($1) ORDER BY s.id DESC LIMIT 100`, args: `'{"\\x01","\\x02"}'`},
		{name: "revalidation", template: revalidateOnly, args: many},
		{name: "revalidation with a touch", template: revalidateAndTouch, args: many + ", " + many},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sql := store.text(statement{template: tt.template, session: now})
			if _, err := conn.Exec(ctx, "PREPARE planned AS "+sql); err != nil {
				t.Fatal(err)
			}
			rows, err := conn.Query(ctx, "EXPLAIN EXECUTE planned ("+tt.args+")", pgx.QueryExecModeSimpleProtocol)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			plan := strings.Join(lines, "\n")
			if strings.Contains(plan, "Seq Scan on "+now.table()) || strings.Contains(plan, "Seq Scan on subject") {
				t.Errorf("the plan reads through a table:\n%s", plan)
			}
			if tt.oneMonth && strings.Contains(plan, (now+1).table()) {
				t.Errorf("the plan has more than one month:\n%s", plan)
			}
			if _, err := conn.Exec(ctx, "DEALLOCATE planned"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The plan that a connection makes while a month's table is small, it keeps
// while the table grows, until the server has analyzed it: rotations together
// must be looked up by their ids in a new table, and in one of the fewest rows
// that the server analyzes by itself.
func TestPlan_OfRotationsTogetherWhileTheTableIsSmall(t *testing.T) {
	ctx := t.Context()
	month := monthAt(time.Now())
	for name, rows := range map[string]int{"new": 0, "analyzed": 51} {
		t.Run(name, func(t *testing.T) {
			store, conn := planned(t)
			steps := []string{"SET plan_cache_mode = force_generic_plan", "PREPARE planned AS " + store.text(statement{template: rotateMany, session: month})}
			if rows > 0 {
				fill(t, conn, month, rows)
				steps = append(steps, "ANALYZE "+month.table())
			}
			for _, sql := range steps {
				if _, err := conn.Exec(ctx, sql); err != nil {
					t.Fatal(err)
				}
			}
			answer, err := conn.Query(ctx, "EXPLAIN EXECUTE planned ('{}', '{}', '{}', '{}', '{}')", pgx.QueryExecModeSimpleProtocol)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := pgx.CollectRows(answer, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			if plan := strings.Join(lines, "\n"); !strings.Contains(plan, "Index Cond: (id = r.id)") {
				t.Errorf("the plan does not look each session up:\n%s", plan)
			}
		})
	}
}
