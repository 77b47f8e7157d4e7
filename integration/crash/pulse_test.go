package crash

import (
	"testing"
	"time"
)

func TestPulse_LeavesOutTheTimeThatTheMachineStood(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }
	var p Pulse
	p.note(at(100), at(140)) // no gap: a little late
	p.note(at(1000), at(1400))
	p.note(at(3000), at(5000))
	if got := p.Stood(); got != 2400*time.Millisecond {
		t.Errorf("the machine stood %v", got)
	}
	for name, c := range map[string]struct{ from, to, ran int }{
		"nothing in between":  {0, 900, 900},
		"a gap in between":    {900, 1900, 600},
		"begins in a gap":     {1200, 2000, 600},
		"ends in a gap":       {2500, 3500, 500},
		"inside a gap":        {3500, 4500, 0},
		"all of it":           {0, 6000, 3600},
		"in the wrong order":  {2000, 1500, -500},
		"after the last":      {5000, 7000, 2000},
		"touches, no overlap": {1400, 3000, 1600},
	} {
		if got := p.Ran(at(c.from), at(c.to)); got != time.Duration(c.ran)*time.Millisecond {
			t.Errorf("%s: ran %v, want %d ms", name, got, c.ran)
		}
	}
}
