package caddymodule

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// The collectors live as long as the process: Caddy makes a new registry at
// every reload, and a counter that started anew with each would be a lie.
var (
	signIns = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "gatehouse", Name: "sign_ins_total",
		Help: "Sign-ins by provider and outcome.",
	}, []string{"provider", "outcome"})
	tokenRefreshes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "gatehouse", Name: "provider_token_refreshes_total",
		Help: "Refreshes of provider tokens by this node, by provider and result: success, failure (for now), refused (for good), lost (not written back).",
	}, []string{"provider", "result"})
	tokensMissing = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "gatehouse", Name: "provider_tokens_unavailable_total",
		Help: "Requests that were answered for want of a provider token to pass on, by provider and reason: away (none now), missing (the user must sign in there).",
	}, []string{"provider", "reason"})
	storeUp = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "gatehouse", Name: "token_store_up",
		Help: "Whether the token store could be used when it was last asked.",
	})
	monthsAhead = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "gatehouse", Name: "token_store_months_ahead",
		Help: "Months of sessions that are ready beyond the current one; fewer than 1 needs attention.",
	})
)

func registerMetrics(ctx caddy.Context) error {
	registry := ctx.GetMetricsRegistry()
	for _, c := range []prometheus.Collector{signIns, tokenRefreshes, tokensMissing, storeUp, monthsAhead} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}
