package crash_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/crash"
)

// at is a moment, in milliseconds after the first.
func at(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }

// said is an answer that took a millisecond.
func said(kind crash.Kind, ms int, keyAndValue ...string) crash.Answer {
	a := crash.Answer{Kind: kind, Family: "f", Sent: at(ms), Got: at(ms + 1)}
	if len(keyAndValue) > 0 {
		a.Key = keyAndValue[0]
	}
	if len(keyAndValue) > 1 {
		a.Value = keyAndValue[1]
	}
	return a
}

func TestLedger_FindsWhatItLooksFor(t *testing.T) {
	for name, c := range map[string]struct {
		answers []crash.Answer
		want    string // in the one fault; "": none
	}{
		"all is well": {[]crash.Answer{
			said(crash.Redeemed, 0, "code"), said(crash.Created, 0), said(crash.Rotated, 10, "r0", "r1"), said(crash.Rotated, 20, "r0", "r1"),
			said(crash.Rotated, 6000, "r1", "r2"),
		}, ""},
		"ended and refused":              {[]crash.Answer{said(crash.Created, 0), said(crash.Ending, 10), said(crash.Ended, 20), said(crash.Refused, 6000)}, ""},
		"maybe ended, and refused":       {[]crash.Answer{said(crash.Created, 0), said(crash.Ending, 10), said(crash.Refused, 6000)}, ""},
		"maybe ended, and accepted":      {[]crash.Answer{said(crash.Created, 0), said(crash.Ending, 10), said(crash.Accepted, 6000)}, ""},
		"accepted within the second":     {[]crash.Answer{said(crash.Created, 0), said(crash.Ending, 10), said(crash.Ended, 20), said(crash.Accepted, 1000), said(crash.Refused, 6000)}, ""},
		"redeemed twice":                 {[]crash.Answer{said(crash.Redeemed, 0, "code"), said(crash.Redeemed, 9000, "code")}, "redeemed twice"},
		"two successors":                 {[]crash.Answer{said(crash.Rotated, 10, "r0", "r1"), said(crash.Rotated, 20, "r0", "r1x")}, "two successors"},
		"refused though nobody ended it": {[]crash.Answer{said(crash.Created, 0), said(crash.Refused, 6000)}, "nobody had ended it"},
		"refused before it was ended":    {[]crash.Answer{said(crash.Created, 0), said(crash.Refused, 10), said(crash.Ending, 20), said(crash.Refused, 6000)}, "nobody had ended it"},
		"accepted after the end":         {[]crash.Answer{said(crash.Created, 0), said(crash.Ending, 10), said(crash.Ended, 20), said(crash.Accepted, 6000)}, "after it had ended"},
		"rotated after the end":          {[]crash.Answer{said(crash.Created, 0), said(crash.Ending, 10), said(crash.Ended, 20), said(crash.Rotated, 6000, "r0", "r1")}, "after it had ended"},
		"never heard of again":           {[]crash.Answer{said(crash.Created, 0), said(crash.Accepted, 10)}, "not heard of"},
	} {
		t.Run(name, func(t *testing.T) {
			l := crash.Ledger{Grace: time.Second}
			for _, a := range c.answers {
				l.Record(a)
			}
			faults := l.Judge(at(5000))
			if c.want == "" {
				if len(faults) > 0 {
					t.Errorf("the faults are %q, want none", faults)
				}
				return
			}
			if len(faults) != 1 || !strings.Contains(faults[0], c.want) {
				t.Errorf("the faults are %q, want one with %q", faults, c.want)
			}
		})
	}
}
