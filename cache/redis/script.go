package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scripts embed.FS

// script is a Lua script and the digest by which a server knows it.
type script struct{ source, digest string }

var (
	flowStart   = load("flow_start")
	flowRead    = load("flow", "flow_read")
	flowAdvance = load("flow", "flow_advance")
	flowRedeem  = load("flow", "flow_redeem")
	flowReopen  = load("flow", "flow_reopen")
	flowDelete  = load("flow_delete")
	flowBury    = load("flow", "flow_bury")
	slotReserve = load("slot_reserve")
	slotRenew   = load("slot_renew")
	slotRestore = load("slot_restore")
	slotRelease = load("slot_release")
	aliasSet    = load("alias_set")
	aliasRead   = load("alias_read")
	counter     = load("count")
	guard       = load("once")
	announce    = load("announce")
	recent      = load("recent")
)

// load joins the parts of a script, the clock first.
func load(parts ...string) *script {
	var source strings.Builder
	for _, part := range append([]string{"clock"}, parts...) {
		text, err := scripts.ReadFile("scripts/" + part + ".lua")
		if err != nil {
			panic(err) // while the program starts: a script that was not embedded
		}
		source.Write(text)
		source.WriteByte('\n')
	}
	digest := sha1.Sum([]byte(source.String())) // the name that Redis gives it
	return &script{source: source.String(), digest: hex.EncodeToString(digest[:])}
}

// call is one script on the keys of one slot.
type call struct {
	script *script
	keys   []string
	args   []any
	// beside is a further key that the script can do without. While a cluster moves
	// a slot, it serves only calls whose keys are all at one node (TRYAGAIN).
	beside string
}

// run sends all calls in one pipeline and returns their answers in order. The
// answers of those that were answered are there even with an error, which is
// the first of the others.
func (s *Store) run(ctx context.Context, calls ...call) ([]*goredis.Cmd, error) {
	replies := s.exchange(ctx, calls)
	return replies, s.firstFailure(ctx, replies)
}

// exchange is run for a caller who looks for errors himself.
func (s *Store) exchange(ctx context.Context, calls []call) []*goredis.Cmd {
	replies := make([]*goredis.Cmd, len(calls))
	pending := make([]int, len(calls))
	for i := range calls {
		pending[i] = i
	}
	s.send(ctx, "evalsha", calls, replies, pending)
	// A script that is unknown, and a write that a replica refuses, has done
	// nothing, so sending it again is no repetition.
	pending = pending[:0]
	for i, reply := range replies {
		switch err := reply.Err(); {
		case goredis.HasErrorPrefix(err, "NOSCRIPT"), goredis.HasErrorPrefix(err, "READONLY"):
			pending = append(pending, i)
		case goredis.HasErrorPrefix(err, "TRYAGAIN") && calls[i].beside != "":
			calls[i].beside = ""
			pending = append(pending, i)
		}
	}
	if len(pending) > 0 {
		s.send(ctx, "eval", calls, replies, pending)
	}
	return replies
}

func (s *Store) firstFailure(ctx context.Context, replies []*goredis.Cmd) error {
	for _, reply := range replies {
		if err := reply.Err(); err != nil && !errors.Is(err, goredis.Nil) {
			return s.failure(ctx, err)
		}
	}
	return nil
}

// send makes one pipeline of the pending calls.
func (s *Store) send(ctx context.Context, name string, calls []call, replies []*goredis.Cmd, pending []int) {
	pipeline := s.client.Pipeline()
	for _, i := range pending {
		c := calls[i]
		keys := c.keys
		if c.beside != "" {
			keys = append(slices.Clip(keys), c.beside)
		}
		args := make([]any, 0, 4+len(keys)+len(c.args))
		if name == "eval" {
			args = append(args, name, c.script.source, len(keys))
		} else {
			args = append(args, name, c.script.digest, len(keys))
		}
		for _, key := range keys {
			args = append(args, s.prefix+key)
		}
		args = append(args, s.offset.Load())
		args = append(args, c.args...)
		replies[i] = goredis.NewCmd(ctx, args...)
		replies[i].SetFirstKeyPos(3)
		_ = pipeline.Process(ctx, single{replies[i]})
	}
	_, _ = pipeline.Exec(ctx) // each reply has its own error
}

// single is a command that the client must not send again by itself: when the
// connection breaks, nobody knows whether it was carried out, and a redemption
// that is repeated would look like a replay.
type single struct{ *goredis.Cmd }

// NoRetry implements [goredis.Cmder].
func (single) NoRetry() bool { return true }

// number is an answer that is one integer, or begins with one.
func number(reply *goredis.Cmd) int64 {
	value := reply.Val()
	if fields, ok := value.([]any); ok && len(fields) > 0 {
		value = fields[0]
	}
	n, _ := value.(int64)
	return n
}

var _ goredis.Cmder = single{}
