// Package gateway runs the built gateway as a process for tests: with ports,
// folders and an admin socket of its own, so that many may run at once, and
// with a log that is searched for secrets when the test ends.
//
//	node := gateway.Start(t, gateway.Options{Caddyfile: text})
//	err := node.Reload(t, changed)
//	node.Kill(t)
//	node.Restart(t)
package gateway
