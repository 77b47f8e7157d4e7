package foreign

import (
	"sync"
	"time"
)

// What is logged of one kind at most, in a while.
const (
	linesAtOnce = 20
	linesAgain  = 10 * time.Second
)

// pacedLog bounds what the log is told.
type pacedLog struct {
	mu    sync.Mutex
	since time.Time
	said  int
	left  int64
}

// say has a line written, and how many were left out before it, unless there were too
// many of late.
func (l *pacedLog) say(now time.Time, write func(left int64)) {
	l.mu.Lock()
	if age := now.Sub(l.since); age >= linesAgain || age < 0 {
		l.since, l.said = now, 0
	}
	if l.said++; l.said > linesAtOnce {
		l.left++
		l.mu.Unlock()
		return
	}
	left := l.left
	l.left = 0
	l.mu.Unlock()
	write(left)
}
