package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// makeMonths makes the previous month's table, the current one's and those of
// the months ahead, where they are missing. A month
// that is over needs none.
func (m *maintenance) makeMonths(ctx context.Context) error {
	found, err := partitions(ctx, m.conn)
	if err != nil {
		return err
	}
	current := monthAt(m.now)
	// The current month first: without it nobody can sign in.
	wanted := []month{current}
	if previous := current - 1; !m.isOver(previous) {
		wanted = append(wanted, previous)
	}
	for ahead := month(1); ahead <= monthsAhead; ahead++ {
		wanted = append(wanted, current+ahead)
	}
	for _, wants := range wanted {
		p, exists := found[wants]
		if p.attached || p.pending {
			continue
		}
		if err = makeMonth(ctx, m.conn, wants, exists); err != nil {
			break
		}
		found[wants] = partition{month: wants, attached: true}
		m.report.Created = append(m.report.Created, wants.String())
	}
	m.report.MonthsAhead = countAhead(found, current)
	return err
}

// countAhead counts the months after the current one that exist without a gap.
func countAhead(found map[month]partition, current month) int {
	n := 0
	for found[current+month(n)+1].attached {
		n++
	}
	return n
}

// removeMonths detaches and drops the months that are over for good, the
// oldest first.
func (m *maintenance) removeMonths(ctx context.Context) error {
	found, err := partitions(ctx, m.conn)
	if err != nil {
		return err
	}
	var over []partition
	for _, p := range found {
		if m.isOver(p.month) {
			over = append(over, p)
		}
	}
	slices.SortFunc(over, func(a, b partition) int { return int(a.month - b.month) })
	for _, p := range over {
		if p.attached || p.pending {
			if err := detachMonth(ctx, m.conn, p); err != nil {
				return err
			}
		}
		if err := dropMonth(ctx, m.conn, p.month); err != nil {
			return err
		}
		m.report.Dropped = append(m.report.Dropped, p.month.String())
	}
	return nil
}

// countMonthsAhead looks, while another node maintains.
func (s *Store) countMonthsAhead(ctx context.Context) (int, error) {
	now, err := one(ctx, s.pool, pgx.RowTo[time.Time], s.plain(`SELECT {now}`))
	if err != nil {
		return 0, err
	}
	found, err := partitions(ctx, s.pool)
	return countAhead(found, monthAt(now)), err
}

// makeFirstMonths makes the months that are missing now, or waits for the node
// that is at it.
func (s *Store) makeFirstMonths(ctx context.Context) ([]string, error) {
	for {
		var created []string
		err := s.withMaintenance(ctx, func(m *maintenance) error {
			err := m.begin(ctx, 0)
			if err == nil {
				err = m.makeMonths(ctx)
			}
			created = m.report.Created
			return err
		})
		if !errors.Is(err, errMaintained) {
			return created, translate(ctx, err)
		}
		if ahead, err := s.countMonthsAhead(ctx); err != nil || ahead > 0 {
			return nil, translate(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil, translate(ctx, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
