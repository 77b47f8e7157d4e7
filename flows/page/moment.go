package page

import (
	"strconv"
	"time"
)

// moment is a time for people, and for machines (<time datetime>).
type moment struct {
	Text string // "2 minutes ago"; "" for no time
	Full string // "22 November 2026, 01:08 UTC"
	ISO  string
}

// momentOf says how long ago t was, where that is a week at most and now is
// known; else the date. The time zone is UTC and said so: the browser's is not
// known without JavaScript.
func momentOf(t time.Time, now func() time.Time) moment {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return moment{}
	}
	t = t.UTC()
	m := moment{Full: t.Format("2 January 2006, 15:04 UTC"), ISO: t.Format(time.RFC3339)}
	m.Text = m.Full
	if now == nil {
		return m
	}
	switch ago := now().Sub(t); {
	case ago < -time.Minute:
	case ago < time.Minute:
		m.Text = "just now"
	case ago < time.Hour:
		m.Text = count(int(ago/time.Minute), "minute")
	case ago < 24*time.Hour:
		m.Text = count(int(ago/time.Hour), "hour")
	case ago < 7*24*time.Hour:
		m.Text = count(int(ago/(24*time.Hour)), "day")
	default:
		m.Text = t.Format("2 January 2006")
	}
	return m
}

func count(n int, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit + " ago"
}
