package redis

import (
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// verdict is a flow script's answer: the flow, what became of it, and what the
// caps are settled by.
type verdict struct {
	flow  cache.Flow
	err   error  // nil or one of the cache's sentinels
	owner string // whom the flow was started for
	free  bool   // it was reopened, and holds no slot
}

// codes are the errors by the numbers that flow.lua gives them.
var codes = []error{nil, cache.ErrNotFound, cache.ErrExpired, cache.ErrUsed, cache.ErrState, cache.ErrMismatch}

func parseVerdict(key string, reply *goredis.Cmd) (verdict, error) {
	fields, err := reply.Slice()
	if err != nil {
		return verdict{}, fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
	}
	code := number(reply)
	if len(fields) == 0 || code < 0 || int(code) >= len(codes) {
		return verdict{}, fmt.Errorf("%w: a script has answered %d", cache.ErrUnavailable, code)
	}
	v := verdict{err: codes[code]}
	if len(fields) < 9 {
		return v, nil
	}
	state, _ := fields[1].(string)
	value, _ := fields[2].(string)
	interval, _ := fields[6].(int64)
	slow, _ := fields[7].(int64)
	v.owner, _ = fields[8].(string)
	v.flow = cache.Flow{
		Key: key, State: cache.State(state),
		CreatedAt: instant(fields[3]), ExpiresAt: instant(fields[4]), Now: instant(fields[5]),
		Interval: time.Duration(interval) * time.Millisecond, SlowDown: slow == 1,
	}
	if value != "" {
		v.flow.Value = []byte(value)
	}
	if len(fields) > 10 {
		free, _ := fields[10].(int64)
		v.free = free == 1
		marks, _ := fields[9].(string)
		for chunk := range slices.Chunk([]byte(marks), cache.MarkSize) {
			v.flow.Abandoned = append(v.flow.Abandoned, chunk)
		}
	}
	if len(fields) > 11 {
		if note, _ := fields[11].(string); note != "" {
			v.flow.Note = []byte(note)
		}
	}
	return v, nil
}

// live reports whether the flow, after what was done, counts under the caps.
func (v verdict) live() bool {
	return !v.free && (v.flow.State == cache.Pending || v.flow.State == cache.Ready) && v.flow.Now.Before(v.flow.ExpiresAt)
}

// finished reports whether this very call finished the flow.
func (v verdict) finished() bool {
	return v.err == nil && !v.flow.SlowDown && (v.flow.State == cache.Done || v.flow.State == cache.Error)
}

// tombstone is what reading answers: the flow, an error, or both for a flow
// that is finished.
func (v verdict) tombstone() (cache.Flow, error) {
	if errors.Is(v.err, cache.ErrUsed) || errors.Is(v.err, cache.ErrState) {
		return v.flow, v.err
	}
	return v.result()
}

// result is the flow or an error.
func (v verdict) result() (cache.Flow, error) {
	if v.err != nil {
		return cache.Flow{}, v.err
	}
	return v.flow, nil
}

func instant(field any) time.Time {
	milliseconds, _ := field.(int64)
	return time.UnixMilli(milliseconds)
}

// milliseconds of a duration, a part of one counting as a whole.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
