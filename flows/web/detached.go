package web

import (
	"context"
	"time"
)

// detachedTimeout bounds a step that goes on after its caller has left.
const detachedTimeout = 30 * time.Second

// Detached is the context of a step that a caller who hangs up must not be able
// to stop: what they did is counted, and what was begun for them is ended.
func Detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), detachedTimeout)
}
