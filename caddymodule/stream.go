package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// pass hands a request on to the handlers behind the guard, and ends its answer
// when its session, or a token without one, does.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict, next caddyhttp.Handler) error {
	a := &v.answer
	a.ResponseWriterWrapper = caddyhttp.ResponseWriterWrapper{ResponseWriter: w}
	a.app, a.gateway, a.id, a.request = g.app, gateway, v.id, r
	a.deciders, a.fitting, a.serveStale = g.rules.Deciders, &v.fitting, time.Duration(g.ServeStale)
	a.uncounted = v.uncounted
	a.upload = newUpload(r, g.uploadTime())
	if v.stream || r.ProtoMajor > 2 {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		a.cancel, a.grpc = cancel, isGRPC(r)
		r = r.WithContext(ctx)
	}
	g.app.shared.flights.add(a)
	defer a.finish() // also when the reverse proxy panics since the client has left
	if a.grpc {
		return a.serveGRPC(r, next)
	}
	err := next.ServeHTTP(a, r)
	if !a.over.Load() {
		return err
	}
	if r.ProtoMajor > 2 {
		// To return is to say that the answer is complete.
		panic(http.ErrAbortHandler)
	}
	return nil // the client is gone: nobody is to be told of an error
}

// watch has stop called when nothing vouches for a stream any longer. The stream
// may outlive this configuration; what is shared stays with it.
func (a *App) watch(gateway *flows.Gateway, id *identity.Identity, counts bool, stop func()) (release func()) {
	held := a.shared.hold()
	var unwatch func()
	if id.SessionID == uuid.Nil {
		unwatch = a.shared.bearers.watch(gateway, id, stop)
	} else {
		unwatch = a.shared.sessions.Watch(id.SessionID, counts, stop)
	}
	return func() {
		unwatch()
		held()
	}
}
