package cache

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"", "code:0197", "é", "a\x7f", strings.Repeat("k", MaxKey), strings.Repeat("k", MaxKey+1)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		good := key != "" && len(key) <= MaxKey &&
			strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) < 0
		err := CheckKey(key)
		if good != (err == nil) {
			t.Fatalf("CheckKey(%q) = %v", key, err)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatalf("CheckKey(%q) = %v, which is not ErrInvalid", key, err)
		}
	})
}

func TestTransition_MovesForwardOnly(t *testing.T) {
	states := []State{Pending, Ready, Done, Error}
	allowed := map[State][]State{Pending: {Pending, Ready, Done, Error}, Ready: {Ready, Done, Error}}
	for _, from := range states {
		for _, to := range states {
			want := false
			for _, s := range allowed[from] {
				want = want || s == to
			}
			err := Transition{Key: "k", From: from, To: to}.Check()
			if want != (err == nil) {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	}
}

func TestFullError_IsErrFullAndNamesTheCap(t *testing.T) {
	for name, text := range map[string]string{"owner": "from this address", "global": "in all"} {
		err := error(&FullError{Cap: name, Limit: 3})
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCount_Check(t *testing.T) {
	for name, test := range map[string]struct {
		count Count
		want  error
	}{
		"good":        {Count{"k", 1, time.Millisecond}, nil},
		"no limit":    {Count{"k", 0, time.Minute}, ErrInvalid},
		"no window":   {Count{"k", 1, 0}, ErrInvalid},
		"long window": {Count{"k", 1, MaxWindow + 1}, ErrInvalid},
		"no key":      {Count{"", 1, time.Minute}, ErrInvalid},
	} {
		if err := test.count.Check(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}
