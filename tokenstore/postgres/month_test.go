package postgres

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestMonthBounds(t *testing.T) {
	for _, tt := range []struct {
		at          time.Time
		name, table string
	}{
		{time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), "2026-11", "session_2026_11"},
		{time.Date(2026, 12, 31, 23, 59, 59, 999e6, time.UTC), "2026-12", "session_2026_12"},
		{time.Date(2027, 1, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)), "2026-12", "session_2026_12"},
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), "1970-01", "session_1970_01"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "10000-01", "session_10000_01"},
	} {
		m := monthAt(tt.at)
		if m.String() != tt.name || m.table() != tt.table {
			t.Errorf("%v is of %s in %s, want %s in %s", tt.at, m, m.table(), tt.name, tt.table)
		}
		if back, ok := monthOfTable(m.table()); !ok || back != m {
			t.Errorf("%s is of %v, %v", m.table(), back, ok)
		}
		from, to := m.bounds()
		id := firstID(tt.at)
		if bytes.Compare(id[:], from[:]) < 0 || bytes.Compare(id[:], to[:]) >= 0 {
			t.Errorf("%v is not within %v and %v", id, from, to)
		}
		if next := m + 1; monthOf(to) != next || monthOf(from) != m {
			t.Errorf("the bounds of %s are of %s and %s", m, monthOf(from), monthOf(to))
		}
	}
}

func TestIDTimeIsThatOfTheLibrary(t *testing.T) {
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	sec, nsec := id.Time().UnixTime()
	if got, want := idTime(id), time.Unix(sec, nsec).Truncate(time.Millisecond); !got.Equal(want) {
		t.Errorf("the time of %v is %v, want %v", id, got, want)
	}
}

// FuzzMonthOfTable: a name that is read as a month is that month's table's,
// and nobody else's table is taken for one of ours.
func FuzzMonthOfTable(f *testing.F) {
	for _, name := range []string{"session_2026_11", "session_2026_13", "session_0000_01", "session_pkey", "session_02026_11", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		m, ok := monthOfTable(name)
		if ok && m.table() != name {
			t.Errorf("%q was read as %s, whose table is %s", name, m, m.table())
		}
	})
}
