package postgres

import (
	"fmt"
	"strings"
	"time"
)

// statement is a template and the months whose tables it is about.
//
// In a template {now} stands for the store's clock, {session} for the table of
// the month of the session's id, {parent} for that of its parent's. Month 0 is
// the partitioned table, which holds all months.
type statement struct {
	template        string
	session, parent month
}

// text is the statement as it is sent. It is made once, so that the pool's
// connections know it as one they have prepared.
func (s *Store) text(st statement) string {
	if s.clockOffset != nil {
		return st.render(shiftedClock(s.clockOffset()))
	}
	if text, ok := s.statements.Load(st); ok {
		return text.(string)
	}
	text, _ := s.statements.LoadOrStore(st, st.render(clock))
	return text.(string)
}

// clock is the database's own, and not that of the transaction's start: what
// waited for a lock is judged by the time it got it.
const clock = "clock_timestamp()"

func shiftedClock(offset time.Duration) string {
	return fmt.Sprintf("(clock_timestamp() + interval '%d microseconds')", offset.Microseconds())
}

func (st statement) render(now string) string {
	return strings.NewReplacer("{now}", now, "{session}", st.session.table(), "{parent}", st.parent.table()).Replace(st.template)
}

// plain is the text of a statement that is about no month.
func (s *Store) plain(template string) string { return s.text(statement{template: template}) }
