package identity

import "sync/atomic"

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
// text: it is the same for the same claims, so each is evaluated once. The zero value
// is ready. It is safe for concurrent use.
type Judgements struct {
	known atomic.Pointer[[]judged]
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
