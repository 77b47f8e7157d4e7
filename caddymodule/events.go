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

func newEmitter(ctx caddy.Context) (*emitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	return &emitter{ctx: ctx, events: app.(*caddyevents.App)}, nil
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
