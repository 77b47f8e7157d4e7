package caddymodule

import (
	"fmt"
	"net/http"
)

// checkShadows refuses guards that something before them keeps from their work:
// what answers /.gatehouse/* itself, so that nobody could sign in, and what
// answers everything, so that nothing is guarded.
func (w *routeWalk) checkShadows() error {
	for _, s := range w.found {
		names, err := s.names()
		if err != nil {
			return err
		}
		if s.onError {
			continue // no request goes there of itself
		}
		if err := w.checkShadow(s, names); err != nil {
			return err
		}
	}
	return nil
}

func (w *routeWalk) checkShadow(s spot, names []string) error {
	dead := len(names) > 0
	first := ""
	for _, name := range names {
		all := &trace{server: w.server, target: s.guard, anyPath: true, request: probeRequest(http.MethodGet, "/", name)}
		if all.routes(w.server.Routes) == taken {
			if first == "" {
				first = all.taker
			}
			dead = dead && !all.redirected
			continue
		}
		dead = false
		for _, probe := range probes {
			login := &trace{server: w.server, request: probeRequest(probe.method, probe.path, name)}
			if login.routes(w.server.Routes) == taken {
				return fmt.Errorf("site %s: %s answers %s before the gatehouse guard, so nobody could sign in; "+
					"write the guard at the top of the site, outside of handle and route: %s",
					s.siteName(), login.taker, login.request.URL.Path, s.advice(nil))
			}
		}
	}
	if dead {
		return fmt.Errorf("site %s: %s answers every request before the gatehouse guard, so nothing is guarded; "+
			"write the guard at the top of the site, before all that answers: %s", s.siteName(), first, s.advice(nil))
	}
	return nil
}
