// Package caddymodule is everything of Gatehouse that knows Caddy: the app
// "gatehouse" (global options), the guard, the portal, their Caddyfile syntax,
// the admin API, the operator's subcommand and the metrics.
//
// What the modules do is in package flows; this package gives it Caddy's
// configuration, life cycle, logging and storage.
package caddymodule
