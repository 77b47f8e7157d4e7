package caddymodule

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// serveUnlogged serves a request that brings its token in our own header, which Caddy's
// logs would show: they redact Authorization and cookies alone. It is left out of the
// access log and has a line of ours. Where Caddy would answer a fault and write the
// request to its error log, that is done here.
func (g *Guard) serveUnlogged(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return g.serveLogged(w, r, next)
	}
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	err := g.serveLogged(recorder, r, next)
	if err != nil && (server.Errors == nil || len(server.Errors.Routes) == 0) {
		g.answerFault(recorder, r, err)
		err = nil
	}
	if skipped, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool); skipped {
		return err
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	if server.Logs == nil {
		return err // nobody keeps an access log
	}
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	user := ""
	v := verdictOf(r)
	if v != nil && v.id != nil && !v.forbidden {
		user = v.id.User
	}
	g.app.logger.InfoContext(r.Context(), "handled request", slog.String("method", r.Method), slog.String("host", r.Host), slog.String("path", r.URL.Path),
		slog.Int("status", recorder.Status()), slog.Int("size", recorder.Size()), slog.String("client_ip", client), slog.String("user_id", user))
	return err
}

// answerFault answers what a handler could not, as Caddy does.
func (g *Guard) answerFault(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if fault, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		if status = fault.StatusCode; status == 0 {
			status = http.StatusInternalServerError
		}
	}
	level := slog.LevelDebug
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	g.app.logger.Log(r.Context(), level, "a request failed behind the guard", slog.String("method", r.Method), slog.String("host", r.Host),
		slog.String("path", r.URL.Path), slog.Int("status", status), slog.Any("error", err))
	w.WriteHeader(status)
}
