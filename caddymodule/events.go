package caddymodule

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// emitter passes what happens in the gateway on to Caddy's events, the metrics
// and the log.
type emitter struct {
	ctx    caddy.Context
	events *caddyevents.App
}

// newEmitter also has started called when all apps of the configuration have
// started.
func newEmitter(ctx caddy.Context, started func()) (*emitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	events := app.(*caddyevents.App)
	if err := events.On("started", onStarted(started)); err != nil {
		return nil, err
	}
	return &emitter{ctx: ctx, events: events}, nil
}

type onStarted func()

// Handle implements [caddyevents.Handler].
func (f onStarted) Handle(context.Context, caddy.Event) error {
	f()
	return nil
}

// emit is called by flows. The attributes hold no secret.
func (e *emitter) emit(ctx context.Context, name string, attrs ...slog.Attr) {
	data := make(map[string]any, len(attrs))
	for _, a := range attrs {
		data[a.Key] = a.Value.Resolve().Any()
	}
	e.count(name, data)
	e.events.Emit(e.ctx, name, data)
}

// count keeps the metrics. The labels come from the configuration alone.
func (e *emitter) count(name string, data map[string]any) {
	outcome, ok := map[string]string{"login": "success", "login_failed": "failure"}[name]
	if !ok {
		return
	}
	provider, _ := data["provider"].(string)
	signIns.WithLabelValues(provider, outcome).Inc()
}
