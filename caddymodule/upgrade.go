package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// parseUpgrades parses `upgrades <protocol…>`.
func (g *Guard) parseUpgrades(h httpcaddyfile.Helper) error {
	from := len(g.Upgrades)
	if err := someArgs(h.Dispenser, &g.Upgrades); err != nil {
		return err
	}
	for _, protocol := range g.Upgrades[from:] {
		if err := reading.CheckProtocol(protocol); err != nil {
			return h.Errf("upgrades: %v", err)
		}
	}
	return nil
}

func (g *Guard) provisionUpgrades() error {
	for _, protocol := range g.Upgrades {
		if err := reading.CheckProtocol(protocol); err != nil {
			return fmt.Errorf("upgrades: %w", err)
		}
	}
	return nil
}

// strip removes what a client must not tell the upstream: who it is, and to
// switch protocols.
func (v *verdict) strip(r *http.Request, headers *headerSet) {
	stream, upgrade := headers.strip(r)
	v.stream = stream
	if upgrade {
		v.screenUpgrade(r)
	}
}

// screenUpgrade takes an upgrade away from a request, and gives it back if it is
// for a WebSocket. What is upgraded passes no guard, and a server that takes h2c
// takes any request in it, with any header (h2c smuggling: Bishop Fox, 2020).
// Another protocol is remembered, for guards that name it.
func (v *verdict) screenUpgrade(r *http.Request) {
	protocol := reading.Upgrade(r)
	reading.StripUpgrade(r.Header)
	if reading.IsWebSocket(protocol) {
		restoreUpgrade(r, protocol)
		v.stream = true
		return
	}
	v.upgrade = protocol
}

// passUpgrade restores, for a user who is let in, the upgrade that the request came
// with, unless this guard, or one before it, does not name the protocol.
func (g *Guard) passUpgrade(r *http.Request, v *verdict) {
	if v.upgrade == "" {
		return
	}
	if !slices.ContainsFunc(g.Upgrades, func(named string) bool { return strings.EqualFold(named, v.upgrade) }) {
		v.upgrade = ""
		if v.upgraded {
			reading.StripUpgrade(r.Header)
		}
		return
	}
	if !v.upgraded {
		restoreUpgrade(r, v.upgrade)
		v.upgraded, v.stream = true, true
	}
}

func restoreUpgrade(r *http.Request, protocol string) {
	r.Header["Upgrade"] = []string{protocol}
	r.Header["Connection"] = append(r.Header["Connection"], "Upgrade")
}
