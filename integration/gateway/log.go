package gateway

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log is what a gateway has written, over all of its restarts. Its methods may
// be called while the gateway writes.
type Log struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed and replaced at each write
}

// Entry is one line of the log.
type Entry struct {
	Level  string `json:"level"`
	Logger string `json:"logger"`
	Msg    string `json:"msg"`
	Line   string `json:"-"` // as written
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

// Text returns the whole log.
func (l *Log) Text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Entries returns the lines that are JSON, in order.
func (l *Log) Entries() []Entry {
	var entries []Entry
	for line := range strings.Lines(l.Text()) {
		entry := Entry{Line: strings.TrimSuffix(line, "\n")}
		if json.Unmarshal([]byte(line), &entry) == nil {
			entries = append(entries, entry)
		}
	}
	return entries
}

// Await waits until the log contains what was written after the mark, and fails
// the test when that takes longer than timeout. A mark is an earlier [Log.Mark].
func (l *Log) Await(t testing.TB, mark int, what string, timeout time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if !l.await(ctx, mark, what) {
		t.Fatalf("the log did not say %q within %v:\n%s", what, timeout, l.tail())
	}
}

// Mark is the place where the log ends now.
func (l *Log) Mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

func (l *Log) await(ctx context.Context, mark int, what string) bool {
	for {
		l.mu.Lock()
		found := strings.Contains(l.text.String()[mark:], what)
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// tail is the end of the log, for failures.
func (l *Log) tail() string {
	text := l.Text()
	return text[max(0, len(text)-6000):]
}
