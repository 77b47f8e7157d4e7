package gateway

import (
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Secrets are values that must never appear in a log. Browsers add cookies,
// codes, states, tokens and passwords as they meet them. The zero value is
// ready for use.
type Secrets struct {
	mu     sync.Mutex
	values map[string]string // value → what it is
}

// shortestSecret is the length from which a value is looked for; anything
// shorter would be found by chance.
const shortestSecret = 8

// Learn adds a secret. What is its name in a failure's message.
func (s *Secrets) Learn(what, value string) {
	if len(value) < shortestSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[value] = what
	if escaped := url.QueryEscape(value); escaped != value {
		s.values[escaped] = what
	}
}

// Check fails the test for each secret that text contains. The failure shows
// the line with the secret blanked.
func (s *Secrets) Check(t testing.TB, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for value, what := range s.values {
		before, after, found := strings.Cut(text, value)
		if !found {
			continue
		}
		start := before[strings.LastIndexByte(before, '\n')+1:]
		end, _, _ := strings.Cut(after, "\n")
		t.Errorf("the log holds a secret (%s): %s", what, strings.ReplaceAll(start+"█████"+end, value, "█████"))
	}
}
