package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// waiting shows that gate is alive while a person approves elsewhere: a moving
// sign on a terminal, else a line a minute.
type waiting struct {
	w        io.Writer
	env      environment
	ends     time.Time
	turn     int
	nextLine time.Time
}

const turnTime = 125 * time.Millisecond

// wait sleeps and shows the time that is left.
func (v *waiting) wait(ctx context.Context, d time.Duration) error {
	if v.env.columns == 0 {
		if now := v.env.now(); !now.Before(v.nextLine) {
			fmt.Fprintf(v.w, "waiting for approval, %s left\n", clock(v.ends.Sub(now)))
			v.nextLine = now.Add(time.Minute)
		}
		return v.env.sleep(ctx, d)
	}
	signs := []string{"|", "/", "-", `\`}
	if v.env.draws() {
		signs = []string{"⠋", "⠙", "⠸", "⠴", "⠦", "⠇"}
	}
	for ; d > 0; d -= turnTime {
		fmt.Fprintf(v.w, "\r%s waiting for approval, %s left \x1b[K", signs[v.turn%len(signs)], clock(v.ends.Sub(v.env.now())))
		v.turn++
		if err := v.env.sleep(ctx, min(d, turnTime)); err != nil {
			return err
		}
	}
	return nil
}

// end clears the line.
func (v *waiting) end() {
	if v.env.columns > 0 {
		fmt.Fprint(v.w, "\r\x1b[K")
	}
}

// clock shows minutes and seconds.
func clock(d time.Duration) string {
	s := max(int(d.Round(time.Second)/time.Second), 0)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
