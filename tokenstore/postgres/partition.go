package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// partition is a table of a month.
type partition struct {
	month    month
	attached bool
	// pending: it is being detached, and that was not finished.
	pending bool
}

const selectPartitions = `
	SELECT c.relname, i.inhparent IS NOT NULL AND NOT i.inhdetachpending, coalesce(i.inhdetachpending, false)
	FROM pg_class c
	LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = to_regclass('session')
	WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('session'))
		AND c.relname LIKE 'session\_%'`

// partitions lists the months that have a table, attached or not.
func partitions(ctx context.Context, q querier) (map[month]partition, error) {
	rows, err := q.Query(ctx, selectPartitions)
	if err != nil {
		return nil, err
	}
	found := make(map[month]partition)
	var name string
	var p partition
	_, err = pgx.ForEachRow(rows, []any{&name, &p.attached, &p.pending}, func() error {
		if m, ok := monthOfTable(name); ok {
			p.month = m
			found[m] = p
		}
		return nil
	})
	return found, err
}

// makeMonth makes a month's table and attaches it. A plain CREATE TABLE …
// PARTITION OF would lock the partitioned table against everybody; ATTACH
// locks out no reader and no writer.
func makeMonth(ctx context.Context, q querier, m month, exists bool) error {
	from, to := m.bounds()
	if !exists {
		// A table that is detached half-way keeps no index of its own name
		// behind, and one that was made and not attached is used again.
		_, err := q.Exec(ctx, fmt.Sprintf(
			`CREATE TABLE %s (LIKE session INCLUDING ALL) WITH (fillfactor = 70)`, m.table()))
		if err != nil && sqlState(err) != stateDuplicateTable {
			return fmt.Errorf("making the table of %s: %w", m, err)
		}
	}
	_, err := q.Exec(ctx, fmt.Sprintf(
		`ALTER TABLE session ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')`, m.table(), from, to))
	if err != nil {
		return fmt.Errorf("attaching the table of %s: %w", m, err)
	}
	return nil
}

// detachMonth takes a month out of the partitioned table. DETACH CONCURRENTLY
// may not run in a transaction, and waits for whoever has an older snapshot;
// when that takes too long it is left half-way, which disturbs nobody, and the
// next round finishes it.
func detachMonth(ctx context.Context, q querier, p partition) error {
	how := "CONCURRENTLY"
	if p.pending {
		how = "FINALIZE"
	}
	_, err := q.Exec(ctx, fmt.Sprintf(`ALTER TABLE session DETACH PARTITION %s %s`, p.month.table(), how))
	if err != nil {
		return fmt.Errorf("detaching the table of %s: %w", p.month, err)
	}
	return nil
}

// dropMonth drops a table that was detached before.
func dropMonth(ctx context.Context, q querier, m month) error {
	if _, err := q.Exec(ctx, `DROP TABLE `+m.table()); err != nil {
		return fmt.Errorf("dropping the table of %s: %w", m, err)
	}
	return nil
}
