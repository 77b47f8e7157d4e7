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

// TestPlans: no statement about given sessions, or about those of a subject,
// reads through a month, not even by the generic plan that a prepared
// statement gets in the end; and those about one session name one month.
func TestPlans(t *testing.T) {
	ctx := t.Context()
	url := postgrestest.URL(t)
	store, err := Open(ctx, Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if err := store.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	now := monthAt(time.Now())
	if _, err := conn.Exec(ctx, fmt.Sprintf(`
		INSERT INTO session (id, expires_at, idle, gen, rotated_at, rotated_before, seen_at,
			sub, client_id, secret_hash, scope, resource, cnf, acr, amr, provider, user_agent)
		SELECT (lpad(to_hex(%d + n), 12, '0') || '7000' || substr(md5(n::text), 1, 16))::uuid,
			later, 86400000000, 0, now() AS rotated_at, now() AS rotated_before, now() AS seen_at,
			'sub-' || n %% 1000, 'app', '\x00', '', '{}', '', '', '{}', '', ''
		FROM generate_series(1, 20000) n, (SELECT now() + interval '1 day' AS later) l`, now.start().UnixMilli())); err != nil {
		t.Fatal(err)
	}
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
		{name: "rotation of a generation ahead", template: rotateForward, args: one + ", 0, '', '', ''", oneMonth: true},
		{name: "rotation put back", template: unrotate, args: one + ", 1, now()", oneMonth: true},
		{name: "session", template: selectSession, args: one, oneMonth: true},
		{name: "revocation", template: revokeOne, args: one, oneMonth: true},
		{name: "other claims", template: replaceClaims, args: one + ", ''", oneMonth: true},
		{name: "descendants", template: revokeDescendants, args: one},
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
