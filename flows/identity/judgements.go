package identity

import (
	"sync/atomic"
	"time"
)

// Judgement is what an expression made of an identity.
type Judgement uint8

// The judgements. Failed is of an expression that could not be evaluated: an allow
// rule does not match by it, and a deny rule does.
const (
	NotJudged Judgement = iota
	Holds
	HoldsNot
	Failed
)

// Judgements keep what expressions made of the claims of one identity, by their
// text: it is the same for the same claims, so each is evaluated once. They keep the
// assertions about it, too. The zero value is ready. It is safe for concurrent use.
type Judgements struct {
	known      atomic.Pointer[[]judged]
	assertions atomic.Pointer[[]Assertion]
}

type judged struct {
	expression string
	judgement  Judgement
}

// maxJudgements bounds what is kept across configurations.
const maxJudgements = 64

// Of returns what is known of an expression. It does not allocate.
func (j *Judgements) Of(expression string) Judgement {
	if j == nil {
		return NotJudged
	}
	known := j.known.Load()
	if known == nil {
		return NotJudged
	}
	for i := range *known {
		if (*known)[i].expression == expression {
			return (*known)[i].judgement
		}
	}
	return NotJudged
}

// Keep keeps a judgement. Of two that come at once one may be lost, and is made
// again.
func (j *Judgements) Keep(expression string, judgement Judgement) {
	if j == nil {
		return
	}
	was := j.known.Load()
	var next []judged
	if was != nil && len(*was) < maxJudgements {
		next = append(next, *was...)
	}
	next = append(next, judged{expression, judgement})
	j.known.CompareAndSwap(was, &next)
}

// Assertion is a signed statement of who somebody is, for one site.
type Assertion struct {
	Host   string
	Secure bool
	// Token is the statement, a secret.
	Token string
	// Renew is when another is to be made, well before it expires.
	Renew time.Time
}

// maxAssertions bounds what is kept for a site of any number of names.
const maxAssertions = 8

// Assertion returns the token for a site, or "". It does not allocate.
func (j *Judgements) Assertion(host string, secure bool, now time.Time) string {
	if j == nil {
		return ""
	}
	known := j.assertions.Load()
	if known == nil {
		return ""
	}
	for i := range *known {
		if a := &(*known)[i]; a.Host == host && a.Secure == secure && now.Before(a.Renew) {
			return a.Token
		}
	}
	return ""
}

// KeepAssertion keeps an assertion in place of the one before it. Of two that come at
// once one may be lost, and is made again.
func (j *Judgements) KeepAssertion(a Assertion) {
	if j == nil {
		return
	}
	was := j.assertions.Load()
	next := []Assertion{a}
	if was != nil {
		for _, other := range *was {
			if len(next) < maxAssertions && (other.Host != a.Host || other.Secure != a.Secure) {
				next = append(next, other)
			}
		}
	}
	j.assertions.CompareAndSwap(was, &next)
}
