package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/reading"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// errForwardCORS: a proxy that asks takes a preflight's 204 for yes, and passes no
// headers on to the answer.
var errForwardCORS = errors.New("cors has no effect with forward auth: the proxy makes the answers; have it answer preflights and set the headers")

func (g *Guard) provisionCORS() error {
	for _, origin := range g.CORS {
		if err := web.CheckPageOrigin(origin); err != nil {
			return fmt.Errorf("cors: %w", err)
		}
	}
	return nil
}

// settleCORS tells the guards which guards of their site allow pages of other origins
// to call: the first that a request meets answers for all.
func (a *App) settleCORS() {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for _, g := range a.guards {
		g.callable = nil
		if g.asked {
			continue // of a preflight's 204 the proxy would read that the request may pass
		}
		for _, other := range a.guards {
			if _, same := g.sharesName(other); same && len(other.CORS) > 0 {
				g.callable = append(g.callable, other)
			}
		}
	}
}

// admitPage tells a page of another origin whether it may call here. A preflight is
// answered: it has no credentials, so nobody could judge it. The answer to anything else
// gets its headers now, since a page could not read a refusal without them. What no page
// asks for gets Vary: a cache would give it to a page, without the page's headers.
func (g *Guard) admitPage(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict) (answered bool, err error) {
	v.fitting.asked = true
	origins, preflight := r.Header["Origin"], web.IsPreflight(r)
	for _, other := range g.callable {
		covers, err := other.coversCall(r, preflight)
		if errors.Is(err, reading.ErrMalformed) {
			gateway.LimitBody(w, r)
			return true, malformed(w)
		}
		if err != nil {
			return true, err
		}
		if !covers {
			continue
		}
		v.fitting.cors = true
		if len(origins) != 1 || !slices.Contains(other.CORS, origins[0]) {
			continue
		}
		// What may be of another guard's is not given away.
		if certain, err := other.certainlyCovers(r, preflight); err != nil {
			return true, err
		} else if certain {
			v.fitting.origin = origins[0]
		}
	}
	if !v.fitting.cors {
		return false, nil
	}
	v.fitting.applyCORS(w.Header())
	switch {
	case !preflight:
		if v.fitting.origin != "" {
			exposed := "WWW-Authenticate, Retry-After"
			if v.resource != "" {
				exposed = exposedToAgents
			}
			w.Header()["Access-Control-Expose-Headers"] = []string{exposed}
		}
		return false, nil
	case v.fitting.origin == "":
		web.AnswerPageMayNotCall(w)
	default:
		web.AnswerPageMayCall(w, r)
	}
	return true, nil
}

// coversCall reports whether a request must sign in at the guard, or, of a preflight,
// whether the request must that it asks for.
func (g *Guard) coversCall(r *http.Request, preflight bool) (bool, error) {
	if len(g.matchers) == 0 {
		return true, nil
	}
	covers, err := g.mustSignIn(r)
	if covers || err != nil || !preflight {
		return covers, err
	}
	call := r.WithContext(r.Context())
	call.Method = r.Header.Get("Access-Control-Request-Method")
	return g.mustSignIn(call)
}

// certainlyCovers is coversCall for what the guard permits, where a doubt refuses: it
// reports whether the request must sign in at the guard by every reading.
func (g *Guard) certainlyCovers(r *http.Request, preflight bool) (bool, error) {
	if len(g.matchers) == 0 {
		return true, nil
	}
	certain, err := g.matchesHoweverRead(r)
	if certain || err != nil || !preflight {
		return certain, err
	}
	call := r.WithContext(r.Context())
	call.Method = r.Header.Get("Access-Control-Request-Method")
	return g.matchesHoweverRead(call)
}
