package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// staleOff is serve_stale off: sessions are served no longer than the store goes
// unasked anyway.
const staleOff = caddy.Duration(-1)

// serveStaleArg parses `serve_stale <duration>|off`.
func serveStaleArg(d *caddyfile.Dispenser) (caddy.Duration, error) {
	line := *d
	if line.NextArg() && line.Val() == "off" {
		var word string
		return staleOff, oneArg(d, &word)
	}
	return durationArg(d)
}

// checkServeStale refuses a time beyond the app's: what is known of sessions is kept
// for all sites alike.
func (g *Guard) checkServeStale() error {
	if all := g.app.settings().ServeStale; time.Duration(g.ServeStale) > max(all, 0) {
		return fmt.Errorf("serve_stale %s is longer than that of the gatehouse block (%s): a site can only shorten it; raise that one, and shorten it at the other sites",
			time.Duration(g.ServeStale), max(all, 0))
	}
	return nil
}

// isStale reports whether the token store has been away for longer than this guard goes
// on without it.
func (g *Guard) isStale(gateway *flows.Gateway, id *identity.Identity) bool {
	if id.Accepted != nil {
		return g.ServeStale != 0 && gateway.Guard().Foreign.IsStale(id, time.Duration(g.ServeStale))
	}
	return g.ServeStale != 0 && gateway.Sessions.IsStale(id.SessionID, time.Duration(g.ServeStale))
}

// isStale reports the same of an answer that is under way.
func (a *answer) isStale() bool {
	if a.id.Accepted != nil {
		return a.serveStale != 0 && a.gateway.Guard().Foreign.IsStreamStale(a.id, a.serveStale)
	}
	return a.serveStale != 0 && a.app.shared.sessions.IsStale(a.id.SessionID, a.serveStale)
}
