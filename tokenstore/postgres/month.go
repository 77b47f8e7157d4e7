package postgres

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// month is a month of sessions, counted from the year 0; 0 is none.
type month int32

func monthAt(t time.Time) month {
	t = t.UTC()
	return month(t.Year()*12 + int(t.Month()) - 1)
}

// monthOf is the month of the time in a UUIDv7.
func monthOf(id uuid.UUID) month { return monthAt(idTime(id)) }

func (m month) start() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

func (m month) end() time.Time { return (m + 1).start() }

// String is the month as YYYY-MM.
func (m month) String() string { return m.start().Format("2006-01") }

// table is the month's table; for no month the partitioned one.
func (m month) table() string {
	if m == 0 {
		return "session"
	}
	return fmt.Sprintf("session_%04d_%02d", int(m)/12, int(m)%12+1)
}

// bounds are the ids between which the month's lie: the first that is in, and
// the first that is not.
func (m month) bounds() (from, to uuid.UUID) { return firstID(m.start()), firstID(m.end()) }

var tableName = regexp.MustCompile(`^session_(\d{4,5})_(0[1-9]|1[0-2])$`)

// monthOfTable is the month that a table is of, and whether it is of one.
func monthOfTable(name string) (month, bool) {
	parts := tableName.FindStringSubmatch(name)
	if parts == nil {
		return 0, false
	}
	year, errYear := strconv.Atoi(parts[1])
	number, errMonth := strconv.Atoi(parts[2])
	m := month(year*12 + number - 1)
	return m, errYear == nil && errMonth == nil && year > 0 && m.table() == name
}

// idTime is the time in a UUIDv7 (RFC 9562, section 5.7).
func idTime(id uuid.UUID) time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// firstID is the smallest id whose first 48 bits are a time.
func firstID(t time.Time) uuid.UUID {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	var id uuid.UUID
	copy(id[:6], ms[2:])
	return id
}
