package crash

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Kind says what an answer confirms.
type Kind int

const (
	// Created confirms a new session, named by Family.
	Created Kind = iota
	// Redeemed confirms that the code or device code Key gave tokens or a
	// session.
	Redeemed
	// Rotated confirms that Value is the successor of the refresh token Key.
	Rotated
	// Accepted confirms that a credential of Family was good.
	Accepted
	// Refused confirms that a credential of Family was not good, presented by
	// the rules: the newest one, or a retry inside the grace. Who is signed in
	// and is asked for a password was refused.
	Refused
	// Ending is no answer: somebody began to end Family, and may have
	// succeeded.
	Ending
	// Ended confirms that Family has ended.
	Ended
)

// Answer is one confirmed answer.
type Answer struct {
	Kind      Kind
	Family    string // the session, by a name that the load gave it
	Key       string
	Value     string
	Sent, Got time.Time
}

// Ledger records answers. It may be used by several goroutines.
type Ledger struct {
	// Grace is how long after a confirmed revocation a node may still accept.
	Grace time.Duration
	// Pulse tells how much of a time the machine ran.
	Pulse Pulse

	mu      sync.Mutex
	answers []Answer
}

// Record adds an answer.
func (l *Ledger) Record(a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

// Confirmed is the number of answers so far.
func (l *Ledger) Confirmed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answers)
}

// Count is the number of answers of a kind.
func (l *Ledger) Count(kind Kind) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, a := range l.answers {
		if a.Kind == kind {
			n++
		}
	}
	return n
}

// history is what is known of a session.
type history struct {
	created, ending, ended time.Time // zero: never
	seen                   bool      // accepted or refused since the last look
}

// Judge returns the rules that were broken, one a line. Every session must have
// been accepted or refused again after the moment last, when all were tried for
// the last time.
func (l *Ledger) Judge(last time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	families := l.histories(last)
	var faults []string
	redeemed := map[string]int{}
	successors := map[string]string{}
	for _, a := range l.answers {
		of := families[a.Family]
		switch a.Kind {
		case Redeemed:
			if redeemed[a.Key]++; redeemed[a.Key] == 2 {
				faults = append(faults, fmt.Sprintf("%s: a code was redeemed twice", a.Family))
			}
		case Rotated:
			if before, known := successors[a.Key]; known && before != a.Value {
				faults = append(faults, fmt.Sprintf("%s: a generation has two successors", a.Family))
			}
			successors[a.Key] = a.Value
			faults = append(faults, l.judgeAccepted(of, a)...)
		case Accepted:
			faults = append(faults, l.judgeAccepted(of, a)...)
		case Refused:
			if of.ending.IsZero() || a.Got.Before(of.ending) {
				faults = append(faults, fmt.Sprintf("%s: refused %v after it was created, and nobody had ended it", a.Family, a.Got.Sub(of.created)))
			}
		case Created, Ending, Ended:
		}
	}
	for name, of := range families {
		if !of.created.IsZero() && !of.seen {
			faults = append(faults, fmt.Sprintf("%s: confirmed, and not heard of in the end", name))
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

func (l *Ledger) histories(last time.Time) map[string]*history {
	families := map[string]*history{}
	for _, a := range l.answers {
		of := families[a.Family]
		if of == nil {
			of = &history{}
			families[a.Family] = of
		}
		switch a.Kind {
		case Created:
			of.created = a.Got
		case Ending:
			of.ending = earlier(of.ending, a.Sent)
		case Ended:
			of.ended = earlier(of.ended, a.Got)
		case Rotated, Accepted, Refused:
			of.seen = of.seen || a.Sent.After(last)
		case Redeemed:
		}
	}
	return families
}

func (l *Ledger) judgeAccepted(of *history, a Answer) []string {
	if of.ended.IsZero() || l.Pulse.Ran(of.ended, a.Sent) <= l.Grace {
		return nil
	}
	return []string{fmt.Sprintf("%s: accepted %v after it had ended", a.Family, a.Sent.Sub(of.ended))}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
