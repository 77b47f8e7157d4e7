package caddymodule

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// currentHandler logs to the logger of the configuration that runs now. What is
// shared by configurations outlives the one that made it, and with it the files
// that its logger wrote to.
type currentHandler struct {
	current *atomic.Pointer[slog.Logger]
	with    []func(slog.Handler) slog.Handler
}

func (h currentHandler) handler() slog.Handler {
	handler := h.current.Load().Handler()
	for _, with := range h.with {
		handler = with(handler)
	}
	return handler
}

// Enabled implements [slog.Handler].
func (h currentHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.handler().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h currentHandler) Handle(ctx context.Context, record slog.Record) error {
	return h.handler().Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (h currentHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

// WithGroup implements [slog.Handler].
func (h currentHandler) WithGroup(name string) slog.Handler {
	return h.and(func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h currentHandler) and(with func(slog.Handler) slog.Handler) slog.Handler {
	all := make([]func(slog.Handler) slog.Handler, 0, len(h.with)+1)
	return currentHandler{current: h.current, with: append(append(all, h.with...), with)}
}

// Interface guard
var _ slog.Handler = currentHandler{}
